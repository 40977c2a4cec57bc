"""A worker's end: whatever the other one says or leaves out, the worker gets an answer or a fault in time."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.accelerator import memory, protocol
from agent.accelerator.client import Connection
from agent.accelerator.faults import AcceleratorFault, Died, NotLoaded, Occupied, Overrun, Refused
from agent.accelerator.protocol import Busy, Hello, Kind, Turn, packed
from agent.errors import InputRejected, ModelInvalid
from agent.processes.ipc import Channel
from agent.types import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SPEC = TensorSpec("x", "uint8", (4,))
FACTS = ("python", "liar", (1, 1))
GIVEN = [np.array([1, 2, 3, 4], np.uint8)]


class Peer:
    """The other end: a thread that answers each packet by a function, and has one model loaded."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel = Channel(ours)
        self.connection = Connection(theirs.detach(), "liar")
        self.area = memory.Area.create([SPEC], [SPEC])
        self.answer: Callable[[Turn], None] = self.done
        self.heard: list[object] = []
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def say(self, *packets: bytes) -> None:
        for packet in packets:
            self.channel.send(packet)

    def done(self, turn: Turn) -> None:
        self.area.outputs[0][:] = self.area.inputs[0] * 2
        self.say(Turn(Kind.DONE, turn.handle, turn.seq).packet())

    def _listen(self) -> None:
        while packet := self.channel.receive():
            said = protocol.asked(packet)
            self.heard.append(said)
            if isinstance(said, protocol.Load):
                loaded = protocol.loaded(said.handle, (SPEC,), (SPEC,), FACTS)
                self.channel.send_with(packed(loaded), [self.area.fd])
            elif isinstance(said, Turn):
                self.answer(said)

    def close(self) -> None:
        self.channel.hang_up()
        self._thread.join()
        self.channel.close()
        self.connection.close()
        self.area.close()


@contextmanager
def opened() -> Iterator[Peer]:
    one = Peer()
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A peer that has loaded a model, as number 1."""
    with opened() as one:
        assert one.connection.load(b"model", "m", 5).handle == 1
        yield one


def infer(peer: Peer, timeout_s: float = 5) -> list[int]:
    [output] = peer.connection.infer(1, GIVEN, timeout_s)
    return [int(one) for one in output]


def test_a_model_is_loaded_and_run_and_the_outputs_are_the_callers(peer: Peer) -> None:
    [first] = peer.connection.infer(1, GIVEN, 5)
    peer.area.outputs[0][:] = 0
    assert first.tolist() == [2, 4, 6, 8]
    first[:] = 0
    assert infer(peer) == [2, 4, 6, 8]


@pytest.mark.parametrize("tensors", [[], GIVEN * 2, [GIVEN[0][:3]], [GIVEN[0].astype("i1")]])
def test_tensors_that_do_not_fit_are_not_sent(peer: Peer, tensors: list[Any]) -> None:
    with pytest.raises(InputRejected):
        peer.connection.infer(1, tensors, 5)
    assert not [one for one in peer.heard if isinstance(one, Turn)]


def test_a_refusal_is_no_end(peer: Peer) -> None:
    peer.answer = lambda turn: peer.say(Turn(Kind.FAILED, 1, turn.seq, problem="too hot").packet())
    with pytest.raises(Refused, match="too hot"):
        infer(peer)
    peer.answer = peer.done
    assert infer(peer) == [2, 4, 6, 8]


def test_a_late_answer_is_never_taken_for_another_frames(peer: Peer) -> None:
    late, answered = threading.Event(), threading.Event()

    def answer(turn: Turn) -> None:
        late.wait(5)
        peer.done(turn)
        answered.set()

    peer.answer = answer
    began = time.monotonic()
    with pytest.raises(Overrun):
        infer(peer, 0.05)
    assert time.monotonic() - began < 2
    late.set()
    assert answered.wait(5)
    with pytest.raises(Died):
        infer(peer)


def test_a_process_that_ends_is_noticed_at_once(peer: Peer) -> None:
    peer.answer = lambda _: peer.channel.hang_up()
    began = time.monotonic()
    with pytest.raises(Died, match="ended"):
        infer(peer, 30)
    assert time.monotonic() - began < 5


def test_hanging_up_wakes_whoever_waits(peer: Peer) -> None:
    peer.answer = lambda _: peer.connection.hang_up()
    with pytest.raises(Died):
        infer(peer, 30)
    peer.connection.close()
    peer.connection.hang_up()


@pytest.mark.parametrize(
    "packet",
    [
        b"garbage",
        b"",
        Turn(Kind.DONE, 1, 99).packet(),
        packed(Hello(title="x", variant="", native=False)),
        packed(protocol.refused(1, ModelInvalid("load model", "m", "no"))),
    ],
)
def test_whoever_breaks_the_protocol_is_dead_to_the_worker(peer: Peer, packet: bytes) -> None:
    peer.answer = lambda _: peer.say(packet)
    with pytest.raises(Died):
        infer(peer)
    with pytest.raises(Died):
        infer(peer)


def test_while_it_loads_for_others_it_is_occupied_and_what_it_owed_is_not_taken(peer: Peer) -> None:
    owed: list[Turn] = []

    def answer(turn: Turn) -> None:
        owed.append(turn)
        peer.say(packed(Busy(busy=True)))

    peer.answer = answer
    with pytest.raises(Occupied):
        infer(peer, 30)
    with pytest.raises(Occupied):
        infer(peer, 30)
    peer.say(packed(Busy(busy=False)))
    assert not peer.connection.free()  # it still owes an answer
    peer.answer = peer.done
    peer.done(owed[0])
    peer.connection.wait_free(5)
    assert infer(peer) == [2, 4, 6, 8]
    assert len(owed) == 1


def test_one_that_stays_occupied_for_too_long_has_overrun(peer: Peer) -> None:
    peer.say(packed(Busy(busy=True)))
    with pytest.raises(Overrun):
        peer.connection.wait_free(0.05)


@pytest.mark.parametrize("answer", ["refused", "nothing", "no memory", "wrong memory", "another"])
def test_loading_ends_in_a_fault_when_the_answer_is_none(answer: str) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel, connection = Channel(ours), Connection(theirs.detach(), "liar")
    area = memory.Area.create([SPEC], [])
    loaded = packed(protocol.loaded(1, (SPEC,), (SPEC,), FACTS))
    wanted: type[AcceleratorFault] = Died
    if answer == "refused":
        channel.send(packed(protocol.refused(1, ModelInvalid("load model", "m", "an unknown operator"))))
        wanted = NotLoaded
    elif answer == "nothing":
        wanted = Overrun
    elif answer == "no memory":
        channel.send(loaded)
    elif answer == "wrong memory":
        channel.send_with(loaded.replace(b'"shape":[4]', b'"shape":[400]'), [area.fd])
    else:
        channel.send_with(loaded.replace(b'"handle":1', b'"handle":7'), [area.fd])
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - as it is counted elsewhere
    with pytest.raises(wanted) as caught:
        connection.load(b"m", "m", 0.1)
    assert len(str(caught.value).splitlines()) == 1
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above
    connection.close()
    channel.close()
    area.close()


def test_the_first_word_must_be_a_greeting() -> None:
    with opened() as one:
        one.say(packed(Hello(title="liar", variant="edgetpu", native=True)))
        assert one.connection.hello(5).variant == "edgetpu"
        one.say(packed(Busy(busy=False)))
        with pytest.raises(Died):
            one.connection.hello(5)
    with opened() as silent, pytest.raises(Overrun):
        silent.connection.hello(0.01)


def test_what_is_dropped_is_told_and_a_dead_peer_is_no_error(peer: Peer) -> None:
    peer.connection.drop(1)
    peer.connection.drop(1)
    deadline = time.monotonic() + 30
    while not [one for one in peer.heard if isinstance(one, protocol.Drop)]:
        assert time.monotonic() < deadline
    peer.connection.load(b"m", "m", 5)
    peer.channel.hang_up()
    peer.connection.drop(2)
