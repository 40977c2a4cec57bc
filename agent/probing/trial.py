"""A try of one accelerator, as its parent sees it: a process that opens it, and what came of that.

The library is a vendor's and may crash or hang: it costs that process, and is a reason.
"""

from __future__ import annotations

import selectors
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agent.boards.accelerators import Accelerator
from agent.errors import MessageInvalid
from agent.probing.passport import Stage, Tried
from agent.processes.child import Child, ending
from agent.processes.message import Flat, Message, error_of, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.boards.accelerators import Limits

MODULE = "agent.probing.main"
START_S = 60.0
"""A board with a slow card takes seconds to import numpy."""
WHERE: dict[Stage, str] = {
    "start": "while it starts",
    "open": "while opening it",
    "load": "while loading a model on it",
    "run": "at the first inferences",
}
_STAGES: tuple[Stage, ...] = tuple(WHERE)


class TrialSpec(BaseModel):
    """What a try is to do; it arrives in a memfd, as a worker's orders do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accelerator: Accelerator
    runtime: Literal["auto", "ai-edge-litert", "tflite-runtime"] = "auto"
    models: tuple[str, ...] = ()
    """Bundles or files to choose from; the first that it can run is run."""
    confine: bool = True
    """Whether the process gives up what it does not need, as the one that serves does."""
    hidden: tuple[str, ...] = ()
    """Paths that stay closed wherever they stand."""


class At(Message):
    """How far it is."""

    type: Literal["at"] = "at"
    stage: Stage


class Found(Message):
    """It went through."""

    type: Literal["found"] = "found"
    tried: Tried


class Fault(Flat):
    """It could not be done, and why."""

    type: Literal["fault"] = "fault"


_Packet = At | Found | Fault
_packets: TypeAdapter[_Packet] = TypeAdapter(Annotated[_Packet, Field(discriminator="type")])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try: what was found, or the stage that it failed at and why, in one line."""

    stage: Stage
    tried: Tried | None = None
    problem: str = ""


def try_out(spec: TrialSpec, spawn: Callable[[str, bytes], Child] = Child) -> Outcome:
    """Try an accelerator in a process of its own; never raises for what that process does.

    Args:
        spec: what to try.
        spawn: starts the process.
    """
    try:
        child = spawn(MODULE, spec.model_dump_json().encode())
    except OSError as error:
        return Outcome("start", problem=f"cannot start a process: {error.strerror or error}")
    watch = _Watch(child, spec.accelerator.limits)
    code: int | None = None
    try:
        watch.follow()
    finally:
        code = child.see_off(patient=watch.over)
    return watch.outcome(code)


class _Watch:
    """Follows one process through its stages, each with its deadline."""

    def __init__(self, child: Child, limits: Limits) -> None:
        self._child = child
        self._deadlines: dict[Stage, float] = {
            "start": START_S,
            "open": limits.open_s,
            "load": limits.load_s,
            "run": limits.load_s,
        }
        self.stage: Stage = "start"
        self.over = False
        """Whether it ends by itself now."""
        self._said: Found | Fault | None = None
        self._why = ""

    def follow(self) -> None:
        """Read what it says until it has said all, or is killed for saying nothing."""
        with selectors.DefaultSelector() as selector:
            # Its end is looked for, too: what it has forked keeps the channel open.
            for fd in (self._child.channel.fileno(), self._child.pidfd):
                selector.register(fd, selectors.EVENT_READ)
            until = time.monotonic() + self._deadlines[self.stage]
            while True:
                left = until - time.monotonic()
                if not (ready := {key.fd for key, _ in selector.select(max(0.0, left))}):
                    if left <= 0:
                        limit = self._deadlines[self.stage]
                        self._why = f"no answer for {limit:g} s {WHERE[self.stage]}"
                        return
                    continue
                packet = self._child.channel.receive()
                if not packet and (packet is not None or self._child.pidfd in ready):
                    self.over = True
                    return
                if packet and not self._take(packet):
                    return
                until = time.monotonic() + self._deadlines[self.stage]

    def _take(self, packet: bytes) -> bool:
        """Take in what it said; give whether it may say more."""
        try:
            message = read(_packets, packet, "from a try")
        except MessageInvalid as error:
            self._why = f"it says what it should not {WHERE[self.stage]}: {error.problem}"
            return False
        if isinstance(message, At):
            if _STAGES.index(message.stage) <= _STAGES.index(self.stage):
                self._why = f"it does not get on {WHERE[self.stage]}"
                return False
            self.stage = message.stage
            return True
        self._said = message
        self.over = True
        return False

    def outcome(self, code: int | None) -> Outcome:
        """Say what came of it; ``code`` is how the process ended, None when SIGKILL did not end it."""
        if isinstance(self._said, Found):
            return Outcome(self.stage, self._said.tried)
        if isinstance(self._said, Fault):
            return Outcome(self.stage, problem=str(error_of(self._said)))
        if not self._why:
            died = "it fell silent" if code is None else ending(code).removeprefix("ended by ")
            self._why = f"{died} {WHERE[self.stage]}"
        stuck = "; SIGKILL did not end it: its driver hangs" if code is None else ""
        return Outcome(self.stage, problem=self._why + stuck)
