"""The seam of the accelerators: what a delegate is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.types import Needs


@dataclass(frozen=True, slots=True)
class Presence:
    """What a look at an accelerator found, without any native code.

    Attributes:
        there: whether its library and a device of it are there.
        why: the reason, in a few words, either way.
        library: the library's path as it would be loaded; "" for none.
        devices: its device nodes or USB addresses.
    """

    there: bool
    why: str
    library: str = ""
    devices: tuple[str, ...] = ()


class Delegate(Protocol):
    """A way to run models on an accelerator. ``build(options)`` of its module makes it, and opens nothing."""

    @property
    def variant(self) -> str:
        """Which of a bundle's variants it runs, such as "edgetpu"; "" for the model that any CPU runs."""

    def probe(self) -> Presence:
        """Look whether it is there: files and devices only, nothing is loaded. Never raises."""

    def needs(self) -> Needs:
        """Give what the process that opens it must reach."""

    def open(self, load: Callable[[str, Mapping[str, str]], object]) -> object | None:
        """Open the library with the runtime's own ``load_delegate(path, options)``.

        Returns:
            What the runtime's interpreter takes as a delegate; None for what needs none.

        Raises:
            DelegateLost: missing, no delegate, refused, or no device: in one line, with the next step.
        """

    def describe(self) -> str:
        """Say in a few words which device and which version; after ``open``."""

    def reset(self) -> bool:
        """Reset the device from outside of the process that hangs on it; give whether that could be done."""
