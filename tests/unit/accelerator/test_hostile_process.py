"""What no accelerator process can do to a worker: flood it, leave it descriptors, have it map nonsense."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent.accelerator import memory, protocol
from agent.accelerator.client import Connection
from agent.accelerator.faults import AcceleratorFault, Died
from agent.accelerator.protocol import Busy, Hello, Kind, Turn, packed
from agent.processes.ipc import Channel
from agent.types import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC = TensorSpec("x", "uint8", (4,))
FACTS = ("python", "liar", (1, 1))
Ends = tuple[Channel, Connection]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """The process's end of a connection, and the worker's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel, connection = Channel(ours), Connection(theirs.detach(), "liar")
    yield channel, connection
    connection.close()
    channel.close()


_FLOOD = """
import socket, sys
end, packet = socket.socket(fileno=int(sys.argv[1])), bytes.fromhex(sys.argv[2])
try:
    while True:
        end.send(packet)
except OSError:
    pass
"""


def test_a_process_that_floods_its_worker_holds_up_no_frame(ends: Ends) -> None:
    channel, connection = ends
    area = memory.Area.create([SPEC], [SPEC])
    channel.send_with(packed(protocol.loaded(1, (SPEC,), (SPEC,), FACTS)), [area.fd])
    connection.load(b"m", "m", 5)
    area.close()
    fd, word = str(channel.fileno()), packed(Busy(busy=False)).hex()
    command = [sys.executable, "-S", "-c", _FLOOD, fd, word]
    with subprocess.Popen(command, pass_fds=[channel.fileno()]):
        select.select([connection._channel.fileno()], [], [], 10)
        began = time.monotonic()
        with pytest.raises(Died, match="more than anybody has asked for"):
            connection.infer(1, [np.zeros(4, np.uint8)], 5)
        assert time.monotonic() - began < 3
        connection.close()


def test_a_process_that_answers_loading_with_what_it_does_for_others_is_given_up(ends: Ends) -> None:
    channel, connection = ends
    for _ in range(200):
        channel.send(packed(Busy(busy=True)))
    with pytest.raises(Died, match="without end"):
        connection.load(b"m", "m", 0.1)


@pytest.mark.parametrize("word", ["greeting", "nothing", "busy", "turn", "garbage", "another"])
def test_descriptors_that_come_with_any_word_are_not_kept(word: str, ends: Ends) -> None:
    channel, connection = ends
    packets = {
        "greeting": packed(Hello(title="x", variant="", native=False)),
        "nothing": b"",
        "busy": packed(Busy(busy=True)),
        "turn": Turn(Kind.DONE, 1, 5).packet(),
        "garbage": b"\xff",
        "another": packed(protocol.loaded(9, (SPEC,), (SPEC,), FACTS)),
    }
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - as it is counted elsewhere
    channel.send_with(packets[word], [0, 0, 0, 0])
    if word == "greeting":
        connection.hello(1)
    else:
        with pytest.raises(AcceleratorFault):
            connection.load(b"m", "m", 0.05)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above


@pytest.mark.parametrize("how", ["read only", "sealed against writing", "absurd"])
def test_memory_that_no_worker_can_use_is_the_accelerators_fault(how: str, ends: Ends) -> None:
    channel, connection = ends
    if how == "sealed against writing":
        memfd = memory.sealed(bytes(128))
    else:
        area = memory.Area.create([SPEC], [SPEC])
        memfd = os.open(f"/proc/self/fd/{area.fd}", os.O_RDONLY if how == "read only" else os.O_RDWR)
        area.close()
    loaded = packed(protocol.loaded(1, (SPEC,), (SPEC,), FACTS))
    if how == "absurd":  # of no bytes, and yet of more elements than any array may have
        loaded = loaded.replace(b'"shape":[4]', b'"shape":[0' + b",2147483647" * 7 + b"]", 1)
        loaded = loaded.replace(b'"shape":[4]', b'"shape":[128]')
    channel.send_with(loaded, [memfd])
    os.close(memfd)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - as it is counted elsewhere
    with pytest.raises(Died):
        connection.load(b"m", "m", 1)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above
