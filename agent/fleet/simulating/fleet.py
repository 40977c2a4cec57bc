"""edgectl simulate: starts the processes of a simulated fleet, adds up what they tell, and ends them."""

from __future__ import annotations

import selectors
import signal
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from agent.errors import AgentError
from agent.fleet.simulating.spec import Report, Spec
from agent.processes.child import Child, ending
from agent.processes.message import error_of
from agent.workers.messages import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_PROGRAM = "agent.fleet.simulating.main"
_TELL_S = 1.0
_LEAVE_S = 20.0
"""How long processes may take to deliver and say goodbye."""


@dataclass(frozen=True, slots=True)
class Sum:
    """How the whole fleet does.

    Attributes:
        devices: those that have joined.
        counts, stands, events: as in ``Report``.
        cpu_s: of all processes.
        kb_a_device: memory, units of 1,024 bytes, over that of processes without devices.
        seconds: since the start.
        problem: why some device is not online.
    """

    devices: int
    counts: Counter[str]
    stands: Counter[str]
    events: Counter[str]
    updates: int
    cpu_s: float
    kb_a_device: float
    seconds: float
    problem: str = ""
    over: bool = False

    def to_json(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return {
            "event": "stopped" if self.over else "simulated",
            "seconds": round(self.seconds, 1),
            "devices": self.devices,
            **{name: self.counts[name] for name in COUNTS},
            "problem": self.problem,
            "stands": dict(self.stands),
            "updates": self.updates,
            "cpu_s": round(self.cpu_s, 2),
            "kb_a_device": round(self.kb_a_device, 1),
        }


COUNTS = ("online", "records", "stored", "lost", "backlog", "batches", "resent")


@dataclass(slots=True)
class _Process:
    """One of the processes, and its last word."""

    child: Child
    heard: Report | None = None
    fault: AgentError | None = None
    ended: bool = False


@dataclass(slots=True)
class Fleet:
    """The processes.

    Args:
        spec: of the whole fleet; ``mine`` and ``work`` are set for each process.
        processes: how many.
        tell: called about once a second with how all do.
    """

    spec: Spec
    processes: int
    tell: Callable[[Sum], None]
    _began: float = 0.0
    _all: list[_Process] = field(default_factory=list)
    _stopping: bool = False

    def run(self, seconds: float = 0.0) -> Sum:
        """Simulate until SIGTERM or SIGINT, or for so long; give how it ended.

        Raises:
            AgentError: a process has died.
            OSError: this machine cannot start them.
        """
        self._began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="edgectl-simulate-") as work, _stopped_by(self._stop):
            try:
                self._start(Path(work))
                self._serve(self._began + seconds if seconds else float("inf"))
                return self._end()
            finally:
                for one in self._all:
                    if not one.ended:
                        one.child.see_off(patient=False)

    def _stop(self) -> None:
        self._stopping = True

    def _start(self, work: Path) -> None:
        names = self.spec.names
        for at in range(self.processes):
            place = work / str(at)
            place.mkdir()
            mine = {"mine": names[at :: self.processes], "work": str(place)}
            spec = self.spec.model_copy(update=mine)
            self._all.append(_Process(Child(_PROGRAM, spec.model_dump_json().encode())))

    def _serve(self, until: float) -> None:
        tell_at = self._began + _TELL_S
        while not self._stopping and (now := time.monotonic()) < until:
            self._hear(min(_TELL_S, until - now))
            if any(one.ended for one in self._all):
                self._failed()
            if now >= tell_at:
                tell_at = now + _TELL_S
                self.tell(self._sum())

    def _end(self) -> Sum:
        for one in self._all:
            _ask_to_stop(one)
        give_up = time.monotonic() + _LEAVE_S
        while time.monotonic() < give_up and not all(one.ended for one in self._all):
            self._hear(0.5)
        if not all(one.heard and one.heard.over for one in self._all):
            self._failed()
        return self._sum(over=True)

    def _hear(self, wait_s: float) -> None:
        with selectors.DefaultSelector() as selector:
            for one in self._all:
                if not one.ended:
                    selector.register(one.child.channel.fileno(), selectors.EVENT_READ, one)
            for key, _ in selector.select(max(0.0, wait_s)):
                self._read(key.data)

    def _read(self, one: _Process) -> None:
        while packet := one.child.channel.receive():
            try:
                one.heard = Report.model_validate_json(packet)
            except ValidationError:
                one.fault = error_of(Fault.model_validate_json(packet))
        if packet == b"":
            one.ended = True
            code = one.child.see_off(patient=True)
            if one.fault is None and not (one.heard and one.heard.over):
                problem = "it cannot be ended" if code is None else ending(code)
                one.fault = AgentError(
                    "simulate", "a process of the fleet", problem, "Look at what it has said"
                )

    def _failed(self) -> None:
        fault = next((one.fault for one in self._all if one.fault), None)
        raise fault or AgentError("simulate", "a process of the fleet", "it did not end in time")

    def _sum(self, *, over: bool = False) -> Sum:
        counts: Counter[str] = Counter()
        stands: Counter[str] = Counter()
        events: Counter[str] = Counter()
        heard = [one.heard for one in self._all if one.heard]
        for report in heard:
            counts.update(report.counts)
            stands.update(report.stands)
            events.update(report.events)
        devices = sum(one.devices for one in heard)
        grown = sum(one.rss_kb - one.empty_kb for one in heard)
        return Sum(
            devices=devices,
            counts=counts,
            stands=stands,
            events=events,
            updates=sum(one.updates for one in heard),
            cpu_s=sum(one.cpu_s for one in heard),
            kb_a_device=grown / devices if devices else 0.0,
            seconds=time.monotonic() - self._began,
            problem="" if over else next((one.problem for one in heard if one.problem), ""),
            over=over,
        )


def _ask_to_stop(one: _Process) -> None:
    try:
        one.child.channel.send(b"stop")
    except OSError:
        return  # it is gone: its end is read


@contextmanager
def _stopped_by(stop: Callable[[], None]) -> Iterator[None]:
    """Stop on SIGTERM and SIGINT."""

    def heard(_number: int, _frame: FrameType | None) -> None:
        stop()

    before = {number: signal.signal(number, heard) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
