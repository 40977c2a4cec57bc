"""The supervisor's part towards accelerators: starts their processes, and hands out connections."""

from __future__ import annotations

import signal
import socket
import time
from typing import TYPE_CHECKING, Any, Self

import orjson

from agent.accelerator.client import Connection
from agent.accelerator.spec import AcceleratorSpec
from agent.boards.accelerators import Accelerator
from agent.processes.child import Child
from agent.types import Phase
from agent.workers import messages
from agent.workers.heartbeat import Page, Slot
from agent.workers.process import WorkerProcess
from tests import runtimes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.processes.ipc import Channel
    from agent.workers.record import Record
    from agent.workers.spec import LaneSpec

SOON_S = 60.0


class Desk:
    """A real accelerator process.

    Args:
        entry: the profile's, as a table.
        spec: more of the process's spec.
    """

    def __init__(self, entry: Mapping[str, Any], **spec: Any) -> None:
        self.accelerator = Accelerator.model_validate(dict(entry))
        spec.setdefault("runtime", runtimes.CHOSEN)
        self._spec = AcceleratorSpec(accelerator=self.accelerator, **spec)
        self.page = Page.create()
        self.page.enter(Slot.INFER, Phase.START)
        self.child = Child(
            "agent.accelerator.main", self._spec.model_dump_json().encode(), also=(self.page.fd,)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.child.close()
        self.page.close()

    def said(self) -> dict[str, Any]:
        """Wait for the process's next word; {} when it is gone."""
        packet = wait_for(self.child.channel)
        return dict(orjson.loads(packet)) if packet else {}

    def opened(self) -> dict[str, Any]:
        """Wait until the accelerator is open."""
        said = self.said()
        assert said.get("type") == "opened", said
        return said

    def connect(self, pipeline: str = "door") -> int:
        """Give a worker's end of a new connection; the caller's."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            body = orjson.dumps({"type": "connect", "pipeline": pipeline})
            self.child.channel.send_with(body, [ours.fileno()])
        return theirs.detach()

    def connection(self, pipeline: str = "door") -> Connection:
        """Give a new connection."""
        return Connection(self.connect(pipeline), self.accelerator.title)

    def stop(self) -> int:
        """Ask it to stop; give how it ended."""
        self.child.channel.send(orjson.dumps({"type": "stop"}))
        return self.ended()

    def ended(self) -> int:
        """Wait until it has ended; give how."""
        code: int = until(self.child.exit_code)
        return code

    def kill(self) -> None:
        """End it at once."""
        if self.child.exit_code() is None:
            self.child.signal(signal.SIGKILL)
            self.ended()


class Station:
    """A real worker with a pipeline, and what it says, in order.

    Attributes:
        said: each message.
        work: each record, with the delegate whose work it is said to be.
    """

    def __init__(self, spec: LaneSpec) -> None:
        self.process = WorkerProcess(spec.model_dump_json().encode())
        self.process.page.enter(Slot.INFER, Phase.START)
        self.said: list[Any] = []
        self.work: list[tuple[str, Record]] = []
        self.generation = 0
        self._twin = self._delegate = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.exit_code() is None:
            self.process.channel.send(b'{"type":"stop"}')
            try:
                self.until(lambda: self.process.exit_code() is not None)
            finally:
                if self.process.exit_code() is None:
                    self.process.signal(signal.SIGKILL)
        self.process.close()

    def lend(self, desk: Desk, **more: Any) -> None:
        """Lend it a connection to an accelerator."""
        self.generation += 1
        one = desk.accelerator
        terms = {
            "type": "accelerate",
            "accelerator": one.title,
            "generation": self.generation,
            "limits": one.limits.model_dump(),
            "recheck_s": one.recheck_s,
            **more,
        }
        fd = desk.connect()
        with socket.socket(fileno=fd):
            self.process.channel.send_with(orjson.dumps(terms), [fd])

    def tell(self, **message: Any) -> None:
        """Tell it something else."""
        self.process.channel.send(orjson.dumps(message))

    def turn(self) -> None:
        """Take in what there is."""
        while packet := self.process.channel.receive():
            message = messages.parse(packet)
            self.said.append(message)
            match message:
                case messages.Ready() | messages.Swapped():
                    self._twin = self._delegate = message.delegate
                case messages.Accelerated():
                    self._delegate = message.delegate
                case messages.Incident() | messages.Relieved():
                    self._delegate = self._twin
                case messages.Results():
                    self.work += [(self._delegate, record) for record in message.records]

    def until(self, condition: Callable[[], Any]) -> None:
        """Take in until something holds."""

        def held() -> Any:
            self.turn()
            return condition() or None

        until(held)

    def of(self, kind: type[Any]) -> list[Any]:
        """Give what it has said of a kind."""
        return [one for one in self.said if isinstance(one, kind)]

    def frames(self, delegate: str, more: int = 5) -> None:
        """Wait for some more results of a delegate."""
        before = sum(one == delegate for one, _ in self.work)
        self.until(lambda: sum(one == delegate for one, _ in self.work) >= before + more)


def until(result: Callable[[], Any], timeout_s: float = SOON_S) -> Any:
    """Give what is no longer None."""
    deadline = time.monotonic() + timeout_s
    while (found := result()) is None:
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.001)
    return found


def wait_for(channel: Channel) -> bytes:
    """Give the next packet; b"" at the end."""
    packet: bytes = until(channel.receive)
    return packet
