"""How a life of the agent begins: the first one of a process, or one that follows another in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.configuring.layers import Layers
    from agent.plan import Plan


class File(Protocol):
    """The configuration file, as it was read."""

    def under(self, overrides: Mapping[str, Any]) -> Self:
        """Give the same text with settings over it.

        Raises:
            ConfigInvalid: they do not fit.
        """

    def plan(self) -> Plan:
        """Resolve what it leaves open.

        Raises:
            ConfigInvalid: it cannot be run.
        """


@dataclass(frozen=True, slots=True)
class Before:
    """What a life before this one had: what this one has to get back to.

    Attributes:
        lanes: names of the pipelines that ran.
        online: whether the link was up.
    """

    lanes: frozenset[str] = frozenset()
    online: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A beginning.

    Attributes:
        layers: what lies over the file; None for what the store says is active.
        before: what there was before, where this one has to get back to that.
        trial: whether it is for the sake of settings on probation.
        anew: whether the file was read anew.
        failed: why the life with the settings on probation could not begin.
        refused: why the file that was read anew could not be begun with.
        order: the id of the command that asked for it.
    """

    layers: Layers | None = None
    before: Before | None = None
    trial: bool = False
    anew: bool = False
    failed: str = ""
    refused: str = ""
    order: str = ""

    def instead(self, problem: str) -> Start | None:
        """Give the beginning that follows if this one is not possible; None where nothing was before."""
        if self.trial:
            return Start(failed=problem, order=self.order)
        return Start(refused=problem, order=self.order) if self.anew else None
