"""The ways to run a model that are measured against each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 32
"""Settings that are measured together: each has a process of its own."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to run a model.

    Attributes:
        threads: CPU threads for one inference.
        xnnpack: whether the XNNPACK kernels are used, where the runtime has them.
        delegate: the title of an accelerator; "" for the CPU.
    """

    threads: int = 1
    xnnpack: bool = True
    delegate: str = ""

    @property
    def kernels(self) -> str:
        """What computes, in a word."""
        return self.delegate or ("xnnpack" if self.xnnpack else "builtin")

    @property
    def effort(self) -> tuple[int, bool]:
        """What the simpler of two has less of: threads, then whatever is not the default."""
        return self.threads, not self.xnnpack

    def __str__(self) -> str:
        """Kernels and threads in words."""
        return f"{self.kernels}, {self.threads} thread{'s' if self.threads > 1 else ''}"


def grid(threads: Iterable[int], delegates: Iterable[str], default: Setting) -> list[Setting]:
    """Give all that is to be measured: the default first, the rest on the CPU, then accelerators.

    Args:
        threads: numbers of threads.
        delegates: titles of accelerators; each runs with the default's threads.
        default: what runs where nothing is chosen; it is measured in any case.
    """
    cpu = [Setting(count, kernels) for count in sorted({*threads}) for kernels in (True, False)]
    others = [Setting(default.threads, delegate=title) for title in delegates]
    return [default, *(one for one in [*cpu, *others] if one != default)][:MOST]


def usual_threads(cores: int, default: int) -> list[int]:
    """Give the numbers of threads that are worth a try on so many cores."""
    return sorted({default, *(count for count in (1, 2, 4) if count <= cores)})
