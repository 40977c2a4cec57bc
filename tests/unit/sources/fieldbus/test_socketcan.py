"""CAN interfaces of the kernel: virtual ones, which python-can sends on. They need vcan, and root."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import can as reference
import pytest

from agent.errors import SourceLost
from agent.sources import can
from agent.sources.fieldbus.socketcan import SocketCan

if TYPE_CHECKING:
    from collections.abc import Iterator

RPM = {"name": "rpm", "id": 0x123, "start": 0, "length": 16, "scale": 0.25}
_numbers = itertools.count()

# A worker, as far as it concerns a bus: confined to what the source needs, it tells what it reads.
CONFINED = """
import sys
from agent.sources import can
from agent.types import Needs
from agent.workers.confining import confine
from agent.workers.spec import LaneSpec

signal = dict(name="rpm", id=0x123, start=0, length=16, scale=0.25)
slow = dict(max_gap_s=30, hold_s=60, silence_s=60)
options = can.Options(channel=sys.argv[1], signals=[signal], rate=500, window=1, **slow)
spec = LaneSpec(pipeline="p", model="/none", task="tensor", source="can", backend="tflite", confine=True)
needs = can.needs(options) if sys.argv[2] == "can" else Needs(network=True)
held = confine(spec, [needs])
source = can.build(options, start=0)
print("open", held.seccomp, flush=True)
print(source.read(20).data.tolist(), flush=True)
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def channel() -> Iterator[str]:
    """A virtual interface that is up."""
    name = f"edge{os.getpid() % 10000}x{next(_numbers)}"
    try:
        socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW).close()
        ip("link", "add", name, "type", "vcan")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this kernel has no vcan, or this is not root: {error}")
    ip("link", "set", name, "mtu", "72", "up")
    yield name
    subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)


def options(channel: str, **more: Any) -> can.Options:
    given = {
        "rate": 500,
        "window": 1,
        "max_gap_s": 30,
        "hold_s": 60,
        "silence_s": 60,
        "signals": [RPM],
        **more,
    }
    return can.Options(channel=channel, **given)


def message(number: int, data: bytes, *, extended: bool = False, **more: Any) -> Any:
    return reference.Message(arbitration_id=number, is_extended_id=extended, data=data, **more)


def test_what_python_can_sends_becomes_windows(channel: str) -> None:
    with (
        closing(can.build(options(channel), start=4)) as source,
        reference.Bus(interface="socketcan", channel=channel) as sender,
    ):
        assert source.read(0.01) is None
        sender.send(message(0x123, b"\4\0"))
        frame = source.read(5)
        assert frame is not None
        assert (frame.seq, frame.data.tolist()) == (4, [[1]])


def test_the_kernel_leaves_out_what_nobody_wants(channel: str) -> None:
    wanted = [(0x123, False), (0x1ABCDEF0, True)]
    with (
        closing(SocketCan(channel, wanted)) as link,
        reference.Bus(interface="socketcan", channel=channel, fd=True) as sender,
    ):
        sent = [
            message(0x124, b"\1"),
            message(0x123, b"\2"),
            message(0x123, b"\3", extended=True),
            message(0x123, b"", is_remote_frame=True),
            message(0x1ABCDEF0, b"\4", extended=True),
            message(0x123, bytes(range(48)), is_fd=True),
        ]
        for one in sent:
            sender.send(one)
        found: list[Any] = []
        while len(found) < 3:
            found += link.receive(5)
        assert link.receive(0.05) == []
    assert [(one.id, one.data) for one in found] == [
        ((0x123, False), b"\2"),
        ((0x1ABCDEF0, True), b"\4"),
        ((0x123, False), bytes(range(48))),
    ]


def test_an_interface_that_goes_down_or_away_is_lost_and_read_again_once_it_is_back(channel: str) -> None:
    with closing(can.build(options(channel), start=0)) as source:
        ip("link", "set", channel, "down")
        with pytest.raises(SourceLost, match=f"read CAN bus {channel}: the interface is down. Bring it up: "):
            source.read(5)
    ip("link", "set", channel, "up")
    with closing(can.build(options(channel), start=0)) as source:
        ip("link", "del", channel)
        with pytest.raises(SourceLost, match=f"read CAN bus {channel}: "):
            source.read(5)
    with pytest.raises(SourceLost, match=rf"open CAN bus {channel}: no such device.*CAN interfaces here: "):
        can.build(options(channel), start=0)
    ip("link", "add", channel, "type", "vcan")
    ip("link", "set", channel, "up")
    can.build(options(channel), start=0).close()


def test_a_confined_worker_reads_a_bus_and_one_that_needs_a_network_does_not(channel: str) -> None:
    command = [sys.executable, "-c", CONFINED, channel]
    with subprocess.Popen([*command, "can"], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "open True\n"
        with reference.Bus(interface="socketcan", channel=channel) as sender:
            sender.send(message(0x123, b"\4\0"))
        assert worker.stdout.readline() == "[[1.0]]\n"
    done = subprocess.run([*command, "network"], capture_output=True, text=True, check=False)
    assert "open CAN bus" in done.stderr.splitlines()[-1]
    assert "operation not permitted" in done.stderr.splitlines()[-1]
