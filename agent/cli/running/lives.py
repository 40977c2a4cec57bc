"""Lives of the agent, one after the other in the same process: what each begins with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import agent
from agent.configuring.layers import Layers, active_of
from agent.errors import AgentError, ConfigInvalid

if TYPE_CHECKING:
    from agent.cli.device.settings import Loaded
    from agent.clock import Clock
    from agent.configuring.start import Start
    from agent.plan import Plan
    from agent.slots import Kept


class OwnFiles:
    """The agent's files as this process began with them.

    A life may need what those before did not, and loads it then. Modules of two releases do not fit together.
    """

    def __init__(self) -> None:
        self._begun_with = _release()

    def check(self) -> None:
        """See that they are still of the same release.

        Raises:
            AgentError: they were replaced.
        """
        if _release() != self._begun_with:
            problem = "its files are of another release now"
            hint = "Start it anew, as a service does by itself"
            raise AgentError("begin anew with", str(Path(agent.__path__[0])), problem, hint)


def _release() -> bytes:
    """Give what differs between two releases: the module that says the version."""
    try:
        return Path(agent.__path__[0], "__init__.py").read_bytes()
    except OSError:
        return b""  # it is being replaced, or gone


@dataclass(slots=True)
class Life:
    """One of them.

    Attributes:
        file: the configuration file, as it was read.
        start: how it begins.
        before: the file of the life before; None for the first.
        begun: it has got so far that there is no way back to the one before.
        following: the next one, where there is one.
    """

    file: Loaded
    start: Start
    before: Loaded | None = None
    begun: bool = False
    following: Life | None = None

    def again(self, file: Loaded, start: Start) -> None:
        """Say what follows."""
        self.following = Life(file, start, before=self.file)


@dataclass(frozen=True, slots=True)
class Overlay:
    """What a life runs.

    Attributes:
        loaded: the file with what lies over it.
        plan: what follows from both.
        layers: what lies over it.
        unfit: why what is active could not be laid over it, or "".
    """

    loaded: Loaded
    plan: Plan
    layers: Layers
    unfit: str = ""


def overlaid(file: Loaded, plan: Plan, start: Start, kept: Kept | None, clock: Clock) -> Overlay:
    """Lay over the file what shall lie there.

    A device whose active settings do not fit its file any more runs without them: it must boot.

    Args:
        file: the file alone.
        plan: what follows from it.
        start: how this life begins.
        kept: what the store holds; None where it could not be read, and then nothing lies over the file.
        clock: says whether what is laid over it for a while still is.

    Raises:
        ConfigInvalid: what this life was begun for does not fit.
    """
    layers = start.layers
    if layers is None:
        active = active_of(kept.documents) if kept else Layers()
        layers = active.at(clock.boot, clock.monotonic())
    if not layers.values:
        return Overlay(file, plan, layers)
    try:
        loaded = file.under(layers.values)
        return Overlay(loaded, loaded.plan(), layers)
    except ConfigInvalid as error:
        if start.trial:
            raise
        return Overlay(file, plan, Layers(), str(error))
