"""An accelerator's process without a process: a test pulls its strings. Its page and socket are real."""

from __future__ import annotations

import os
import selectors
import socket
from typing import TYPE_CHECKING, Any

import orjson

from agent.accelerator.spec import AcceleratorSpec
from agent.boards.accelerators import Accelerator
from agent.processes.child import Child
from agent.processes.ipc import Channel
from agent.recovery.accelerators import Accelerators
from agent.recovery.owner import Owner
from agent.recovery.process import AcceleratorProcess
from agent.recovery.resetting import Resetting
from agent.types import Phase
from agent.workers.heartbeat import Page, Slot
from agent.workers.lane import Lane
from agent.workers.spec import LaneSpec
from agent.workers.usage import Usage
from tests.simulators.clocks import ManualClock
from tests.simulators.lane_stage import DEADLINES
from tests.simulators.puppet_worker import PuppetWorker, Spawner

if TYPE_CHECKING:
    import signal
    from collections.abc import Sequence

    from agent.recovery.ladder import State

LIMITS = {"open_s": 5, "load_s": 8, "invoke_s": 2, "floor_s": 0.25}


class PuppetChild(Child):
    """A child that a test ends.

    Attributes:
        signals: what it was sent, oldest first.
    """

    def __init__(self, pid: int) -> None:
        self.channel, self.end = Channel.pair()
        self.end.settimeout(0)
        self.pidfd = os.eventfd(0)
        self.signals: list[signal.Signals] = []
        self._pid = pid
        self.code: int | None = None

    @property
    def pid(self) -> int:
        return self._pid

    def signal(self, number: signal.Signals) -> None:
        self.signals.append(number)

    def exit_code(self) -> int | None:
        return self.code

    def close(self) -> None:
        self.end.close()
        super().close()

    def die(self, code: int) -> None:
        """End, as a process does."""
        self.end.close()
        self.code = code

    def say(self, message: dict[str, Any] | bytes) -> None:
        """Send a packet."""
        self.end.send(message if isinstance(message, bytes) else orjson.dumps(message))

    def heard(self) -> list[dict[str, Any]]:
        """Give what it was told; connections that came with it are closed."""
        found: list[dict[str, Any]] = []
        while True:
            try:
                packet, descriptors, _, _ = socket.recv_fds(self.end, 4096, 4)
            except BlockingIOError:
                return found
            for one in descriptors:
                os.close(one)
            found.append(orjson.loads(packet) | ({"with": len(descriptors)} if descriptors else {}))


class PuppetAccelerator(PuppetChild, AcceleratorProcess):
    """What the supervisor sees of an accelerator's process, and the process's own ends of it."""

    def __init__(self, spec_json: bytes, pid: int) -> None:
        self.spec = AcceleratorSpec.model_validate_json(spec_json)
        self.page = Page.create()
        self.usage = Usage(os.getpid())
        PuppetChild.__init__(self, pid)

    def opened(self) -> None:
        """Say that the device is open."""
        self.say({"type": "opened", "delegate": self.spec.accelerator.title, "description": "a puppet"})
        self.beat(Phase.WAIT, 0.0)

    def fault(self, error: str, problem: str, code: int = 1) -> None:
        """Say why it ends, and end."""
        self.say({"type": "fault", "error": error, "op": "open", "subject": "tpu", "problem": problem})
        self.die(code)

    def beat(self, phase: Phase, at: float) -> None:
        """Write its word as it would have been written at ``at``."""
        self.page._words[Slot.INFER] = phase << 56 | int(at * 1e9) >> 10


class Bench:
    """Accelerators with puppets for processes and workers, and a clock that the test moves.

    Args:
        kinds: of the profile's accelerators; of "usb" the device can be reset.
        pipelines: name of each, and its option ``delegate``.
    """

    def __init__(self, kinds: Sequence[str] = ("usb",), **pipelines: str) -> None:
        self.clock = ManualClock()
        self.selector = selectors.DefaultSelector()
        self.born: dict[str, list[PuppetAccelerator]] = {}
        self.resets: list[PuppetChild] = []
        self.broken = False
        known = [
            Accelerator.model_validate(
                {"kind": "external", "name": kind, "limits": LIMITS, "reset": "usb" if kind == "usb" else ""}
                if kind != "cpu"
                else {"kind": "cpu"}
            )
            for kind in kinds
        ]
        specs = [
            LaneSpec(pipeline=name, model="m", source="video", backend_options={"delegate": delegate})
            for name, delegate in (pipelines or {"door": "auto"}).items()
        ]
        self.spawners = {spec.pipeline: Spawner() for spec in specs}
        self.lanes = {
            spec.pipeline: Lane(spec, DEADLINES, spawn=self.spawners[spec.pipeline]) for spec in specs
        }
        self.all = Accelerators(
            known, specs, list(self.lanes.values()), self.selector, clock=self.clock, own=self._own
        )

    def _own(self, spec: AcceleratorSpec) -> Owner:
        return Owner(spec, spawn=self._spawn, reset=self._reset, jitter=lambda: 0.5)

    def _spawn(self, spec_json: bytes) -> PuppetAccelerator:
        if self.broken:
            raise OSError(11, "Resource temporarily unavailable")
        name = AcceleratorSpec.model_validate_json(spec_json).accelerator.title
        born = self.born.setdefault(name, [])
        born.append(PuppetAccelerator(spec_json, 2000 + len(born)))
        return born[-1]

    def _reset(self, accelerator: Accelerator, now: float) -> Resetting:
        def spawn(_spec: bytes) -> Child:
            self.resets.append(PuppetChild(3000 + len(self.resets)))
            return self.resets[-1]

        return Resetting(accelerator, now, spawn)

    def worker(self, name: str = "door") -> PuppetWorker:
        """Give a pipeline's newest worker."""
        return self.spawners[name].last

    def tpu(self, name: str = "usb") -> PuppetAccelerator:
        """Give an accelerator's newest process."""
        return self.born[name][-1]

    def state(self, name: str = "usb") -> State:
        """Where an accelerator stands."""
        return self.all.owners[name].state

    def delegate(self, name: str = "door") -> str:
        """What a pipeline's results are said to be the work of."""
        ready = self.lanes[name].ready
        assert ready is not None
        return ready.delegate

    def told(self, name: str = "door") -> list[dict[str, Any]]:
        """Give what a worker was told since the last call."""
        return self.worker(name).heard()

    def begin(self, name: str = "door") -> None:
        """Have a pipeline run on its CPU twin."""
        self.lanes[name].start(self.clock.now)
        self.worker(name).ready(live=True)
        self.turn()

    def serve(self, *names: str, on: str = "usb") -> None:
        """Have pipelines run on an accelerator."""
        for name in names or ("door",):
            self.begin(name)
        self.tpu(on).opened()
        self.turn()
        for name in names or ("door",):
            self.accelerated(name, on)

    def accelerated(self, name: str = "door", on: str = "usb") -> int:
        """Have a worker take what it was lent; give the generation."""
        lent = [one for one in self.worker(name).heard() if one["type"] == "accelerate"][-1]
        assert lent["accelerator"] == on
        generation = int(lent["generation"])
        self.says(name, "accelerated", generation, on, delegate=on, delegated=[7, 7], goldens=3)
        return generation

    def says(self, name: str, type_: str, generation: int, accelerator: str = "usb", **more: Any) -> None:
        """Have a worker say something of an accelerator."""
        about = {"type": type_, "accelerator": accelerator, "generation": generation}
        self.worker(name).say({**about, **more})
        self.turn()

    def incident(self, kind: str, generation: int, name: str = "door", on: str = "usb", **more: Any) -> None:
        """Have a worker tell of an incident."""
        self.says(name, "incident", generation, on, kind=kind, problem=f"{kind}!", twin=True, **more)

    def turn(self, seconds: float = 0.0) -> None:
        """Let time go by, and take in what there is."""
        self.clock.tick(seconds)
        now = self.clock.now
        for owner in self.all.owners.values():
            owner.receive(now)
            if owner.life and owner.life.process.exit_code() is not None:
                self.all._reap(owner)
        for lane in self.lanes.values():
            lane.receive()
            lane.tick(now)
        self.all.tick(now)

    def bury(self) -> None:
        """Free what is left at the end of a test."""
        self.all.close()
        for spawner in self.spawners.values():
            spawner.bury()
        self.selector.close()
