"""A road between two network namespaces that delays, loses, reorders and narrows what goes over it.

    python -m tests.simulators.slow_road PID PID

The namespaces are those of two processes. Each gets a TUN device (Linux: networking/tuntap.rst), with an
address for tests of networks (RFC 2544), and this program carries packets from one to the other. It
needs root, and no traffic control of the kernel. A line of JSON on its input, with fields of ``Way``,
says how the road is from now on, both ways, or one way with ``"from": 0`` or 1; a line answers it. It
ends with its input.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, fields
from itertools import count

ADDRESSES = ("198.18.0.1", "198.18.0.2")
MTU = 1400
_TUNSETIFF, _IFF_TUN_NO_PI = 0x400454CA, 0x0001 | 0x1000
_NEWNET = 0x40000000
_QUEUE_S = 1.0
"""So long a narrow road keeps what waits; what would wait longer is lost, as in a router."""
_BURST = 64


@dataclass(frozen=True, slots=True)
class Way:
    """How one direction is.

    Attributes:
        delay_ms, jitter_ms: each packet takes so long, more or less so much.
        loss: the part of the packets that is lost.
        reorder: the part that is not delayed, and so overtakes.
        kbit_s: how much goes through; 0 for all.
        longest: bytes of the longest packet that passes; others vanish without a word. 0 for all.
        down: nothing passes.
    """

    delay_ms: float = 0
    jitter_ms: float = 0
    loss: float = 0
    reorder: float = 0
    kbit_s: float = 0
    longest: int = 0
    down: bool = False


class Road:
    """Two ends, and what is on the way between them."""

    def __init__(self, ends: tuple[int, int], noise: random.Random) -> None:
        self._ends = ends
        self._noise = noise
        self._ways = [Way(), Way()]
        self._free = [0.0, 0.0]
        self._going: list[tuple[float, int, int, bytes]] = []
        self._numbers = count()
        self.counts: Counter[str] = Counter()

    def change(self, told: dict[str, float]) -> None:
        """Make it so from now on; what is on its way stays on it."""
        sides = [int(told.pop("from"))] if "from" in told else [0, 1]
        for side in sides:
            self._ways[side] = Way(**told)  # type: ignore[arg-type]

    @property
    def next_at(self) -> float | None:
        """When the next packet arrives, on the monotonic clock."""
        return self._going[0][0] if self._going else None

    def take(self, side: int, now: float) -> None:
        """Take what has come to one end."""
        for _ in range(_BURST):
            try:
                packet = os.read(self._ends[side], 65536)
            except BlockingIOError:
                return
            if (at := self._arrival(side, len(packet), now)) is None:
                self.counts["lost"] += 1
            else:
                heapq.heappush(self._going, (at, next(self._numbers), 1 - side, packet))

    def _arrival(self, side: int, size: int, now: float) -> float | None:
        """Say when a packet arrives; None when it is lost."""
        way = self._ways[side]
        if way.down or 0 < way.longest < size or self._noise.random() < way.loss:
            return None
        if way.kbit_s:
            self._free[side] = max(now, self._free[side]) + size * 8 / (way.kbit_s * 1e3)
            if self._free[side] - now > _QUEUE_S:
                self._free[side] -= size * 8 / (way.kbit_s * 1e3)
                return None
            now = self._free[side]
        if self._noise.random() < way.reorder:
            return now
        return now + max(0.0, way.delay_ms + self._noise.uniform(-1, 1) * way.jitter_ms) / 1e3

    def hand_over(self, now: float) -> None:
        """Hand over what has arrived by now."""
        while self._going and self._going[0][0] <= now:
            _, _, side, packet = heapq.heappop(self._going)
            os.write(self._ends[side], packet)
            self.counts["passed"] += 1


def opened(pid: int, name: str, mine: str, other: str) -> int:
    """Make the TUN device in the namespace of a process; give its descriptor."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    _enter(there)
    try:
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN_NO_PI))
        for words in (
            ["address", "add", mine, "peer", other, "dev", name],
            ["link", "set", name, "up", "mtu", str(MTU)],
            ["link", "set", "lo", "up"],
        ):
            subprocess.run(["ip", *words], check=True)
    finally:
        _enter(home)
        os.close(home)
        os.close(there)
    return tun


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def main() -> int:
    """Run until the input ends."""
    pids = [int(word) for word in sys.argv[1:]]
    near, far = ADDRESSES
    ends = (opened(pids[0], "road0", near, far), opened(pids[1], "road1", far, near))
    road = Road(ends, random.Random(1))
    known = {one.name for one in fields(Way)} | {"from"}
    print(json.dumps({"ready": sorted(known)}), flush=True)
    told = b""
    while True:
        now = time.monotonic()
        wait_s = None if road.next_at is None else max(0.0, road.next_at - now)
        ready, _, _ = select.select([*ends, 0], [], [], wait_s)
        now = time.monotonic()
        for side in (0, 1):
            if ends[side] in ready:
                road.take(side, now)
        if 0 in ready:
            if not (data := os.read(0, 4096)):
                return 0
            told += data
            while b"\n" in told:
                line, told = told.split(b"\n", 1)
                road.change(json.loads(line))
                print(json.dumps(road.counts), flush=True)
        road.hand_over(time.monotonic())


if __name__ == "__main__":
    sys.exit(main())
