"""A worker without a process: a test pulls its strings. Page and socket are real; ``Spawner`` makes them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import orjson

from agent.processes.ipc import Channel
from agent.types import Phase
from agent.workers.heartbeat import Page, Slot
from agent.workers.process import WorkerProcess
from agent.workers.spec import LaneSpec
from agent.workers.usage import Usage

if TYPE_CHECKING:
    import signal

    from agent.ledger import Ledger

READY = {
    "type": "ready",
    "model": "glyphs@1",
    "sha256": "ab" * 32,
    "task": "classification",
    "runtime": "puppet",
    "delegate": "cpu",
    "delegated": [0, 1],
}


class PuppetWorker(WorkerProcess):
    """What a lane sees of a worker, and the worker's own ends of it.

    Attributes:
        spec: what the lane wants done.
        signals: what the lane has sent, oldest first.
        closed: whether the lane has let go of it.
    """

    def __init__(self, spec_json: bytes, pid: int) -> None:
        self.spec = LaneSpec.model_validate_json(spec_json)
        self.page = Page.create()
        self.channel, theirs = Channel.pair()
        theirs.settimeout(0)
        self.end = theirs
        self.pidfd = -1
        self.usage = Usage(os.getpid())
        self.signals: list[signal.Signals] = []
        self.closed = False
        self._pid = pid
        self._code: int | None = None

    @property
    def pid(self) -> int:
        return self._pid

    def signal(self, number: signal.Signals) -> None:
        self.signals.append(number)

    def exit_code(self) -> int | None:
        return self._code

    def close(self) -> None:
        assert self._code is not None
        self.closed = True
        self.end.close()
        super().close()

    def say(self, message: dict[str, Any] | bytes) -> None:
        """Send a packet to the lane."""
        self.end.send(message if isinstance(message, bytes) else orjson.dumps(message))

    def ready(self, *, live: bool) -> None:
        """Say that the model is loaded and the source is open."""
        self.say(READY)
        self.say({"type": "opened", "live": live})
        self.beat(Phase.WAIT, Phase.WAIT, 0.0)

    def results(self, frames: list[int], ledger: Ledger) -> None:
        """Send the results of ``frames`` and the ledger as of the last."""
        records = [{"frame": f, "captured_ns": f, "infer_us": 1, "kind": "k", "items": []} for f in frames]
        self.say({"type": "results", "ledger": counts(ledger), "records": records})

    def ended(self, ledger: Ledger, remark: str = "") -> None:
        """Say that every frame is settled."""
        self.say({"type": "ended", "ledger": counts(ledger), "remark": remark})

    def fault(self, problem: str, **more: Any) -> None:
        """Say why it is about to exit."""
        self.say(
            {"type": "fault", "error": "ModelInvalid", "op": "o", "subject": "s", "problem": problem, **more}
        )

    def beat(self, capture: Phase, infer: Phase, at: float) -> None:
        """Write both threads' words as they would have been written at ``at``."""
        for slot, phase in ((Slot.CAPTURE, capture), (Slot.INFER, infer)):
            self.page._words[slot] = phase << 56 | int(at * 1e9) >> 10

    def heard(self) -> list[dict[str, Any]]:
        """Give what the lane has sent."""
        found: list[dict[str, Any]] = []
        while True:
            try:
                packet = self.end.recv(4096)
            except BlockingIOError:
                return found
            found.append(orjson.loads(packet))

    def die(self, code: int) -> None:
        """End, as a process does: its socket closes, and its exit code stands."""
        self.end.close()
        self._code = code


def counts(ledger: Ledger) -> dict[str, Any]:
    """Give a ledger as a worker sends it."""
    body = ledger.to_json()
    del body["lost"]
    return body


class Spawner:
    """Starts puppets; ``broken`` lets the machine refuse."""

    def __init__(self) -> None:
        self.born: list[PuppetWorker] = []
        self.broken = False

    def __call__(self, spec_json: bytes) -> PuppetWorker:
        if self.broken:
            raise OSError(11, "Resource temporarily unavailable")
        self.born.append(PuppetWorker(spec_json, 1000 + len(self.born)))
        return self.born[-1]

    @property
    def last(self) -> PuppetWorker:
        """The newest one."""
        return self.born[-1]

    def bury(self) -> None:
        """Free what is left at the end of a test."""
        for worker in self.born:
            if not worker.closed:
                worker.die(0)
                worker.close()
