"""What a broker and other processes count of themselves."""

from __future__ import annotations

import os
import queue
import time
from pathlib import Path

from agent.link.mqtt import Link
from agent.link.settings import LinkMessage, LinkSettings


class Counts:
    """What mosquitto counts of itself: it says so every ten seconds on $SYS, in sums since its start."""

    def __init__(self, port: int) -> None:
        self._heard: queue.SimpleQueue[object] = queue.SimpleQueue()
        settings = LinkSettings("127.0.0.1", port, "bench-counts")
        names = ("messages/received", "messages/sent", "bytes/received", "bytes/sent")
        self._topics = {f"$SYS/broker/{name}": name for name in names}
        self._values: dict[str, int] = {}
        self._link = Link(
            settings, post=self._heard.put, subscriptions=[(topic, 0) for topic in self._topics]
        )
        self._link.start()

    def now(self) -> tuple[float, dict[str, int]]:
        """Wait for the next sums; give when they came, and them."""
        while not self._heard.empty():
            self._heard.get()  # what it has said since the last time
        fresh: set[str] = set()
        while fresh != set(self._topics.values()):
            event = self._heard.get(timeout=60)
            if isinstance(event, LinkMessage) and event.topic in self._topics and not event.retain:
                name = self._topics[event.topic]
                self._values[name] = int(event.payload)
                fresh.add(name)
        return time.monotonic(), dict(self._values)

    def close(self) -> None:
        """Stop listening."""
        self._link.close()


def cpu_s(pid: int | None) -> float:
    """CPU seconds of a process, and of those of its children that have ended (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int | None) -> float:
    """Memory of a process that is in RAM, units of 2^20 bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
