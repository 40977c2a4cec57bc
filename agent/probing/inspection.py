"""Looks at accelerators without native code: which the profile names, and whether they are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent import plugins
from agent.boards.accelerators import Accelerator, delegate_of
from agent.boards.delegation import Presence
from agent.errors import AgentError, ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOM = "delegates"
CPU_KINDS = ("xnnpack", "cpu")
"""The CPU's two ways: with the XNNPACK kernels and without."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """An accelerator, as it was looked at.

    Attributes:
        accelerator: the profile's entry, or one with the kind's own defaults.
        named: whether the profile names it.
        variant: which of a bundle's variants it runs.
        presence: what the look found.
        wrong: what is wrong with the profile's entry, in one line; "" for nothing.
    """

    accelerator: Accelerator
    named: bool
    variant: str
    presence: Presence
    wrong: str = ""

    @property
    def told(self) -> str:
        """Say in a few words how it stands, without opening it."""
        how = "wrong" if self.wrong else "there" if self.presence.there else "missing"
        return f"{self.accelerator.title} {how} ({self.wrong or self.presence.why})"


def inspect(accelerator: Accelerator, *, named: bool = True) -> Inspected:
    """Look whether an accelerator is there; an entry that means nothing is wrong, and says why."""
    try:
        delegate = delegate_of(accelerator)
    except AgentError as error:
        return Inspected(accelerator, named, "", Presence(there=False, why="unknown"), wrong=str(error))
    return Inspected(accelerator, named, delegate.variant, delegate.probe())


def entries(
    profile: Iterable[Accelerator], *, everything: bool = False
) -> Iterator[tuple[Accelerator, bool]]:
    """Give what is to be tried, and whether the profile names it: its own, the CPU's ways, then all others.

    Args:
        profile: its entries.
        everything: every known kind, too, that needs no option.
    """
    own = list(profile)
    yield from ((one, True) for one in own)
    kinds = {one.kind for one in own}
    for kind in (*CPU_KINDS, *(plugins.names(ROOM) if everything else ())):
        if kind not in kinds and _needs_nothing(kind):
            kinds.add(kind)
            yield Accelerator(kind=kind), False


def _needs_nothing(kind: str) -> bool:
    try:
        delegate_of(Accelerator(kind=kind))
    except ConfigInvalid:
        return False
    return True
