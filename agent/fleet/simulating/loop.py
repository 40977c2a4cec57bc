"""The loop of a process that simulates devices: one selector for their links, one heap for their time."""

from __future__ import annotations

import heapq
import resource
import selectors
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from agent import events
from agent.fleet.simulating.device import SimulatedDevice
from agent.fleet.simulating.faults import FAULTS, draw
from agent.fleet.simulating.spec import Report

if TYPE_CHECKING:
    from agent.fleet.simulating.common import Common
    from agent.fleet.simulating.spec import Spec
    from agent.processes.ipc import Channel

_REPORT_S = 1.0
_DRAIN_S = 10.0
"""How long a stop waits until what was made is acknowledged."""
_FAREWELL_S = 3.0
_LONGEST_S = 0.5
_WORDS = 500


class Loop:
    """Runs devices until the channel is closed, or asks to stop; then lets them deliver and say goodbye.

    Args:
        spec: which devices.
        common: what they share.
        channel: to who has started this.
    """

    def __init__(self, spec: Spec, common: Common, channel: Channel) -> None:
        self._spec, self._common, self._channel = spec, common, channel
        shares = {fault: spec.faults.get(fault, 0.0) for fault in FAULTS}
        self._traits = draw(spec.names, shares, spec.seed)
        began = time.monotonic()
        joins = {
            name: began + at / spec.a_second + self._traits[name].late_s for at, name in enumerate(spec.mine)
        }
        self._to_join = sorted(joins.items(), key=lambda item: -item[1])
        self._devices: dict[str, SimulatedDevice] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(channel.fileno(), selectors.EVENT_READ, None)
        self._watched: dict[str, tuple[int, int, int]] = {}
        self._heap: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}
        self._empty_kb = rss_kb()
        self._asked = False

    def run(self) -> None:
        """Simulate."""
        report_at = 0.0
        while not self._asked:
            now = time.monotonic()
            self._join(now)
            self._turn(now)
            if now >= report_at:
                report_at = now + _REPORT_S
                self._send(self._report())
        self._end()

    def _end(self) -> None:
        """Deliver, say goodbye, and say the last word."""
        give_up = time.monotonic() + _DRAIN_S
        for device in self._devices.values():
            device.stop()
            device.hurry()
        self._wake_all()
        while time.monotonic() < give_up and any(one.busy for one in self._devices.values()):
            self._turn(time.monotonic())
        last = self._report(over=True)  # with who was online until now
        for device in self._devices.values():
            device.leave()
        self._wake_all()
        give_up = time.monotonic() + _FAREWELL_S
        while time.monotonic() < give_up and not all(one.line.over for one in self._devices.values()):
            self._turn(time.monotonic())
        self._common.updater.close()
        self._send(last)

    def _wake_all(self) -> None:
        for name in self._devices:
            self._schedule(name, 0.0)

    def _join(self, now: float) -> None:
        while self._to_join and self._to_join[-1][1] <= now:
            name, _ = self._to_join.pop()
            self._devices[name] = SimulatedDevice(
                self._common.plan(name), self._traits[name], self._common, now
            )
            self._schedule(name, now)

    def _turn(self, now: float) -> None:
        """Wait for whatever comes first, and let those devices do their turns that it concerns."""
        wait_s = _LONGEST_S
        if self._heap:
            wait_s = min(wait_s, self._heap[0][0] - now)
        if self._to_join:
            wait_s = min(wait_s, self._to_join[-1][1] - now)
        ready: dict[str, int] = {}
        for key, mask in self._selector.select(max(0.0, wait_s)):
            if key.data is None:
                self._asked = True
                self._selector.unregister(key.fd)
            else:
                ready[key.data] = mask
        now = time.monotonic()
        self._common.updater.tick(now)
        while self._heap and self._heap[0][0] <= now:
            at, name = heapq.heappop(self._heap)
            if self._due.get(name) == at:
                ready.setdefault(name, 0)
        for name, mask in ready.items():
            self._serve(name, mask)

    def _serve(self, name: str, mask: int) -> None:
        device = self._devices[name]
        now = time.monotonic()
        device.turn(
            now, readable=bool(mask & selectors.EVENT_READ), writable=bool(mask & selectors.EVENT_WRITE)
        )
        self._watch(name, device, now)
        self._schedule(name, now + device.due(now))

    def _schedule(self, name: str, at: float) -> None:
        self._due[name] = at
        heapq.heappush(self._heap, (at, name))

    def _watch(self, name: str, device: SimulatedDevice, now: float) -> None:
        """Have the selector watch the device's socket, as it is now."""
        wants = device.line.wants(now)
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if wants.write else 0)
        if self._watched.get(name) == (wants.fd, mask, wants.connection):
            return
        self._forget(name)
        if wants.fd >= 0:
            if wants.fd in self._selector.get_map():  # another device's socket had this number, and is closed
                self._selector.unregister(wants.fd)
            self._selector.register(wants.fd, mask, name)
            self._watched[name] = wants.fd, mask, wants.connection

    def _forget(self, name: str) -> None:
        fd = self._watched.pop(name, (-1, 0, 0))[0]
        if fd >= 0 and fd in self._selector.get_map() and self._selector.get_key(fd).data == name:
            self._selector.unregister(fd)

    def _report(self, *, over: bool = False) -> Report:
        counts: Counter[str] = Counter()
        stands: Counter[str] = Counter()
        problem = ""
        for device in self._devices.values():
            counts.update(device.counts)
            stands[device.stands] += 1
            problem = problem or device.problem
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Report(
            devices=len(self._devices),
            counts=dict(counts),
            stands=dict(stands.most_common(100)),
            problem=problem[:_WORDS],
            events=dict(events.counters),
            updates=self._common.updater.runs,
            cpu_s=round(used.ru_utime + used.ru_stime, 3),
            rss_kb=rss_kb(),
            empty_kb=self._empty_kb,
            over=over,
        )

    def _send(self, report: Report) -> None:
        try:
            self._channel.send(report.model_dump_json().encode())
        except OSError:
            self._asked = True  # nobody is there any more


def rss_kb() -> int:
    """Memory of this process that is in RAM, units of 1,024 bytes: proc(5), statm."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * (resource.getpagesize() >> 10)
