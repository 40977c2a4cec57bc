"""The store against plain SQLite: records/s appended, and bytes sent to disk for each record.

    python -m bench.store [--records N] [--rounds N] [--quick] [--folder DIR] [--json]

Both sides run in one thread of this process, on the same file system, with WAL and synchronous=FULL, and
commit the same groups: 64 records for the rate; 15, which are 500 ms at 30 records/s, for the bytes. The
other side is ``executemany("INSERT INTO results VALUES (?, ?)", ...)`` of (number, JSON); only ours has a
ledger. Bytes are the kernel's count for this process (proc(5), write_bytes), the last checkpoint included;
a tmpfs has none.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from agent.clock import SystemClock
from agent.store.outbox import Outbox
from bench.figures import Figure, report
from bench.records import ledger, records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Groups = Sequence[list[dict[str, Any]]]
    Side = Callable[[Path, Groups], None]

RATE_GROUP = 64
SLOW_GROUP = 15


@dataclass(frozen=True, slots=True)
class Run:
    """One pass: how long it took, and how many bytes the kernel counted."""

    seconds: float
    written: int


def ours(folder: Path, groups: Groups) -> None:
    """Append with the real outbox."""
    with closing(Outbox(folder, clock=SystemClock())) as outbox:
        for group in groups:
            outbox.put(group, {"door": ledger(group[-1]["frame"] + 1)})
            outbox.flush()


def plain(folder: Path, groups: Groups) -> None:
    """Append as the sqlite3 module's manual has it."""
    with closing(sqlite3.connect(folder / "results.db")) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("CREATE TABLE results (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        seq = 0
        for group in groups:
            rows = [(seq + n, orjson.dumps(record)) for n, record in enumerate(group, 1)]
            db.executemany("INSERT INTO results VALUES (?, ?)", rows)
            db.commit()
            seq += len(rows)


def main() -> int:
    """Measure and print; give the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=50_000, help="a round of the rate")
    parser.add_argument("--minutes", type=float, default=20, help="of 30 records/s, a round of the bytes")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--folder", type=Path, help="on the file system to measure")
    parser.add_argument("--quick", action="store_true", help="3 short rounds: a look, no proof")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    count, minutes, rounds = arguments.records, arguments.minutes, arguments.rounds
    if arguments.quick:
        count, minutes, rounds = 10_000, 5, 3
    rate: list[tuple[float, float]] = []
    size: list[tuple[float, float]] = []
    for number in range(rounds):
        fast = [run(side, arguments.folder, number, count, RATE_GROUP) for side in (ours, plain)]
        slow = [
            run(side, arguments.folder, number, int(minutes * 1800), SLOW_GROUP) for side in (ours, plain)
        ]
        rate.append((count / fast[0].seconds, count / fast[1].seconds))
        size.append((slow[0].written / int(minutes * 1800), slow[1].written / int(minutes * 1800)))
        print(f"round {number + 1}/{rounds}: {rate[-1]} records/s, {size[-1]} bytes", file=sys.stderr)
    figures = [_figure("append", "records/s", rate, 0.7)]
    if all(b for _, b in size):
        figures.append(_figure("to disk", "bytes/record", size, 0.45, less=True))
    else:
        print("no bytes: this is no file system on a disk; give another with --folder", file=sys.stderr)
    return report(figures, as_json=arguments.json)


def run(side: Side, base: Path | None, seed: int, count: int, each: int) -> Run:
    """Append ``count`` records in groups of ``each``, in a folder of its own. Making them is not measured."""
    noise = random.Random(seed)
    began = time.monotonic_ns()
    groups = [records(min(each, count - at), at, began, noise) for at in range(0, count, each)]
    with tempfile.TemporaryDirectory(dir=base) as name:
        before, start = _written(), time.perf_counter()
        side(Path(name), groups)
        return Run(time.perf_counter() - start, _written() - before)


def _written() -> int:
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    counts = dict(line.split(": ") for line in lines)
    return int(counts["write_bytes"])


def _figure(
    name: str, unit: str, pairs: Sequence[tuple[float, float]], target: float, *, less: bool = False
) -> Figure:
    a, b = zip(*pairs, strict=True)
    return Figure(name, unit, a, b, target, "less" if less else "more")


if __name__ == "__main__":
    sys.exit(main())
