"""A configuration as far as it holds, for who tells of a device even where its configuration is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.cli.device.settings import Loaded
from agent.errors import AgentError

if TYPE_CHECKING:
    from pathlib import Path

    from agent.plan import Plan


@dataclass(frozen=True, slots=True)
class Held:
    """What of a configuration holds.

    Attributes:
        path: the configuration's.
        loaded: the file; None where it cannot be read or is wrong.
        plan: of the file, on this machine; None where it asks for what is not here.
        problem: why there is no plan.
    """

    path: Path
    loaded: Loaded | None = None
    plan: Plan | None = None
    problem: AgentError | None = None

    def needed(self) -> Plan:
        """Give the plan.

        Raises:
            AgentError: there is none.
        """
        if self.plan is None:
            raise self.problem or AgentError("read", "configuration", "it does not hold")
        return self.plan


def held(path: Path) -> Held:
    """Read a configuration, as far as it holds."""
    loaded = None
    try:
        loaded = Loaded(path)
        return Held(path, loaded, loaded.plan())
    except AgentError as error:
        return Held(path, loaded, problem=error)
