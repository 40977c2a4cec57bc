"""Where processes are killed: the named states of device and collector, and the killer (kill_point.c)."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SOURCE = Path(__file__).with_name("kill_point.c")
Victim = Literal["agent", "worker", "collector"]


@dataclass(frozen=True, slots=True)
class Point:
    """A named state to be killed in.

    Attributes:
        most: it is one of the first so many steps of this kind, drawn anew each time.
        starting: among the steps of a start, not of an agent that runs already.
    """

    victim: Victim
    name: str
    step: Literal["sync", "write", "make", "unlink", "send"]
    when: Literal["before", "after"]
    pattern: str
    most: int = 8
    starting: bool = False


_LOG, _FILE = "*/segments/[ar]*-*.db-wal", "*/segments/[ar]*-*.db"
POINTS = (
    Point("agent", "a block's page written", "write", "after", _LOG, 40),
    Point("agent", "before a block's commit", "sync", "before", _LOG, 20),
    Point("agent", "block committed, before its report", "sync", "after", _LOG, 20),
    Point("agent", "segment made, before its first block", "make", "after", _FILE, 1),
    Point("agent", "folding a segment's log in", "write", "after", _FILE, 8),
    Point("agent", "segment closed, its log unlinked", "unlink", "after", _LOG, 2),
    Point("agent", "before the cursor's commit", "sync", "before", "*/state.db-wal", 8),
    Point("agent", "cursor committed, before the unlink", "unlink", "before", _FILE, 2),
    Point("agent", "delivered segment unlinked", "unlink", "after", _FILE, 2),
    Point("agent", "before a batch is sent", "send", "before", "socket:*", 30),
    Point("agent", "batch sent, not yet acknowledged", "send", "after", "socket:*", 30),
    Point("agent", "starting: the epoch's row", "sync", "before", "*/state.db-wal", 1, starting=True),
    Point(
        "agent", "starting: state begun, before READY", "sync", "after", "*/state.db-wal", 2, starting=True
    ),
    Point("agent", "starting: delivered files unlinked", "unlink", "after", "*/segments/*", 1, starting=True),
    Point("worker", "before a packet is sent", "send", "before", "socket:*", 200),
    Point("worker", "packet sent", "send", "after", "socket:*", 200),
    Point("collector", "before the commit", "sync", "before", "*/fleet.db-wal", 20),
    Point("collector", "stored, before the acknowledgement", "sync", "after", "*/fleet.db-wal", 20),
    Point("collector", "acknowledgement sent", "send", "after", "socket:*", 20),
    Point("collector", "folding the log in", "write", "after", "*/fleet.db", 8),
)


@dataclass(frozen=True, slots=True)
class Kill:
    """What a kill was, and how many seconds it took until the victim, started again, was ready."""

    victim: Victim
    name: str
    back_s: float


@dataclass
class Known:
    """What the device was seen to have committed, by stream and epoch: the last record."""

    last: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    def see(self, stream: str, epoch: str, last: int) -> None:
        """Records up to ``last`` are committed."""
        self.last[stream, epoch] = max(last, self.last[stream, epoch])


def compile_kill_point(folder: Path) -> Path:
    """Compile the killer into ``folder``."""
    shim = folder / "kill_point.so"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["cc", *flags, "-o", str(shim), str(SOURCE), "-ldl", "-lpthread"], check=True)
    return shim
