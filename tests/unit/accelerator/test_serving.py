"""The loop of an accelerator process: whose turn it is, and whom a broken word costs what."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import orjson
import pytest

from agent.accelerator import memory, protocol
from agent.accelerator.client import Connection
from agent.accelerator.faults import Died, NotLoaded, Refused
from agent.accelerator.protocol import Busy, Hello, Kind, Load, Turn, packed
from agent.accelerator.serving import Host
from agent.errors import BackendFault, ModelInvalid
from agent.processes.ipc import Channel
from agent.types import Phase, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.types import Array, Backend

GIVEN = [np.array([1, 2], np.uint8)]


class Model:
    """A backend: adds its own number."""

    inputs = outputs = (TensorSpec("x", "uint8", (2,)),)
    runtime, delegate, delegated = "python", "liar", (1, 1)

    def __init__(self, place: Place, plus: int) -> None:
        self.place = place
        self.plus = plus

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        self.place.work.append(self.plus)
        self.place.gate.wait(5)
        if self.place.mood == "refuse":
            raise BackendFault("run model", "m", "too hot")
        if self.place.mood == "grow":
            return (np.zeros(3, np.uint8),)
        return (tensors[0] + np.uint8(self.plus),)

    def close(self) -> None:
        self.place.closed.append(self.plus)


class Place:
    """A loop in a thread, and the supervisor's end."""

    def __init__(self) -> None:
        self.work: list[int] = []
        self.closed: list[int] = []
        self.phases: list[Phase] = []
        self.gate = threading.Event()
        self.gate.set()
        self.mood = ""
        self.supervisor, theirs = Channel.pair()
        self.channel = Channel(theirs)
        hello = Hello(title="liar", variant="", native=True)
        self.host = Host(self.channel, self.build, hello, self.phases.append)
        self.result: list[bool] = []
        self.thread = threading.Thread(target=lambda: self.result.append(self.host.run()))
        self.thread.start()
        self.ends: list[Connection | Channel] = []

    def build(self, model: bytes, name: str) -> Backend:
        if model == b"bad":
            raise ModelInvalid("load model", name, "an unknown operator", "Convert it")
        return Model(self, int(model))

    def connected(self, pipeline: str = "door") -> int:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            self.supervisor.send_with(
                orjson.dumps({"type": "connect", "pipeline": pipeline}), [ours.fileno()]
            )
        return theirs.detach()

    def connect(self) -> Connection:
        connection = Connection(self.connected(), "liar")
        self.ends.append(connection)
        assert connection.hello(5).title == "liar"
        return connection

    def raw(self) -> Channel:
        """Connect a worker that says what it likes."""
        channel = Channel.from_fd(self.connected())
        self.ends.append(channel)
        channel.receive()
        return channel

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self.supervisor.close()
        self.thread.join(5)
        self.host.close()
        self.channel.close()
        for end in self.ends:
            end.close()


@pytest.fixture
def place() -> Iterator[Place]:
    with Place() as one:
        yield one


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_each_worker_has_models_of_its_own(place: Place) -> None:
    one, two = place.connect(), place.connect()
    assert one.load(b"1", "m", 5).handle == two.load(b"2", "m", 5).handle == 1
    one.wait_free(5)
    assert [one.infer(1, GIVEN, 5)[0].tolist(), two.infer(1, GIVEN, 5)[0].tolist()] == [[2, 3], [3, 4]]
    one.close()
    until(lambda: place.closed == [1])
    two.wait_free(5)
    assert two.infer(1, GIVEN, 5)[0].tolist() == [3, 4]


def test_a_worker_that_asks_much_waits_for_the_others_between(place: Place) -> None:
    greedy, other = place.raw(), place.connect()
    _load(greedy, b"1")
    other.load(b"2", "m", 5)
    greedy.send(Turn(Kind.INFER, 1, 0).packet())
    until(lambda: place.work == [1])
    other.wait_free(5)
    other.infer(1, GIVEN, 5)
    place.work.clear()
    place.gate.clear()
    for seq in range(1, 6):
        greedy.send(Turn(Kind.INFER, 1, seq).packet())
    until(lambda: place.work == [1])
    asking = threading.Thread(target=other.infer, args=(1, GIVEN, 5))
    asking.start()
    time.sleep(0.05)
    place.gate.set()
    asking.join()
    until(lambda: len(place.work) == 6)
    assert place.work.index(2) <= 2


def test_the_phase_says_what_may_hang(place: Place) -> None:
    one = place.connect()
    one.load(b"1", "m", 5)
    one.infer(1, GIVEN, 5)
    one.infer(1, GIVEN, 5)
    until(lambda: place.phases[-1] is Phase.WAIT)
    kept = [phase for phase in place.phases if phase is not Phase.WAIT]
    assert kept == [Phase.LOAD, Phase.LOAD, Phase.INVOKE]


def test_the_others_are_told_while_it_loads_and_makes_the_first_inference(place: Place) -> None:
    waiting, loading = place.raw(), place.connect()
    loading.load(b"1", "m", 5)
    loading.infer(1, GIVEN, 5)
    loading.infer(1, GIVEN, 5)
    told = [protocol.answered(waiting.receive() or b"") for _ in range(4)]
    assert told == [Busy(busy=True), Busy(busy=False)] * 2


def test_a_model_that_does_not_load_is_refused_in_the_runtimes_words(place: Place) -> None:
    one = place.connect()
    with pytest.raises(NotLoaded, match="unknown operator"):
        one.load(b"bad", "m", 5)
    assert one.load(b"1", "m", 5).handle == 2


@pytest.mark.parametrize(("mood", "words"), [("refuse", "too hot"), ("grow", r"became uint8 \[3\]")])
def test_a_refusal_of_the_runtime_is_an_answer(place: Place, mood: str, words: str) -> None:
    one = place.connect()
    one.load(b"1", "m", 5)
    place.mood = mood
    with pytest.raises(Refused, match=words):
        one.infer(1, GIVEN, 5)
    place.mood = ""
    assert one.infer(1, GIVEN, 5)[0].tolist() == [2, 3]


def test_two_models_of_a_worker_may_be_loaded_and_a_third_costs_it_the_connection(place: Place) -> None:
    one = place.connect()
    one.load(b"1", "m", 5)
    one.load(b"2", "m", 5)
    one.drop(1)
    one.load(b"3", "m", 5)
    assert one.infer(3, GIVEN, 5)[0].tolist() == [4, 5]
    with pytest.raises(Died):
        one.load(b"4", "m", 5)
    until(lambda: sorted(place.closed) == [1, 2, 3])


@pytest.mark.parametrize(
    "packet",
    [
        b"\0",
        b"{}",
        b'{"type":"load","handle":1,"name":"x"}',
        Turn(Kind.INFER, 9, 1).packet(),
        Turn(Kind.DONE, 1, 1).packet(),
        packed(Hello(title="x", variant="", native=True)),
    ],
)
def test_whoever_breaks_the_protocol_loses_his_own_connection_only(place: Place, packet: bytes) -> None:
    good, bad = place.connect(), place.raw()
    good.load(b"1", "m", 5)
    for _ in range(2):
        bad.receive()
    bad.send(packet)
    assert bad.receive() == b""
    assert good.infer(1, GIVEN, 5)[0].tolist() == [2, 3]


def test_a_model_in_memory_that_can_be_changed_is_not_loaded(place: Place) -> None:
    bad = place.raw()
    loose = os.memfd_create("loose", os.MFD_ALLOW_SEALING)
    os.write(loose, b"1")
    bad.send_with(packed(Load(handle=1, name="m")), [loose])
    os.close(loose)
    assert bad.receive() == b""


def test_a_worker_that_reads_nothing_is_let_go_of(place: Place) -> None:
    deaf = place.raw()
    _load(deaf, b"1")
    os.set_blocking(deaf.fileno(), False)
    asked = 0
    while not place.closed:
        assert asked < 100_000
        try:
            deaf.send(Turn(Kind.INFER, 1, 1).packet())
            asked += 1
        except BlockingIOError:
            time.sleep(0.0005)
        except OSError:
            break
    until(lambda: place.closed == [1])


def test_it_ends_when_it_is_told_to_and_when_the_supervisor_is_gone() -> None:
    with Place() as one:
        one.supervisor.send(b'{"type":"stop"}')
        one.thread.join(5)
        assert one.result == [True]
    with Place() as other:
        other.supervisor.close()
        other.thread.join(5)
        assert other.result == [False]


def _load(worker: Channel, model: bytes) -> None:
    fd = memory.sealed(model)
    worker.send_with(packed(Load(handle=1, name="m")), [fd])
    os.close(fd)
    packet, descriptors = worker.receive_with()
    assert packet
    for one in descriptors:
        os.close(one)
