"""Power cuts while a folder goes down to release 1 and up again: nothing is lost."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from agent.blocks import STREAMS
from agent.errors import FolderUnusable
from agent.store.kept import read_kept
from agent.store.migrate import migrate
from tests.simulators.keeping import KEPT
from tests.simulators.outboxes import drained, numbers, opened
from tests.simulators.power_cut import Disk, build, traced

SHARED_MEMORY = Path("/dev/shm")

# Three records in each stream and a floor; then down and up again. In the end the alerts are delivered.
PROGRAM = """
import os, sys
from pathlib import Path
from agent.blocks import STREAMS
from agent.store.migrate import migrate
from agent.store.state import State
from tests.simulators.keeping import keep
from tests.simulators.outboxes import opened

root, wrong = Path(sys.argv[1]), sys.argv[2]
marks = os.open(root / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
outbox = opened(root)
for n in range(9):
    outbox.put([{"n": n}], {}, STREAMS[n % 3])
    outbox.flush()
keep(outbox)
outbox.close()
state = State(root / "state.db")
state.raise_floor("root", 7)
state.close()
if wrong:
    os.fsync = lambda descriptor: None
os.write(marks, b"filled\\n")
migrate(root, 1)
os.write(marks, b"down\\n")
migrate(root)
os.write(marks, b"up\\n")
outbox = opened(root)
outbox.ack(outbox.lease(None, 1, "alert").epoch, 3, "alert")
outbox.settle()
outbox.close()
"""


def after_a_cut(state: dict[str, bytes], *, down_first: bool) -> tuple[list[list[list[int]]], int]:
    """Go on with what a cut has left; give what is in the store then, and the floor."""
    base = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=base) as name:
        folder = Path(name)
        build(folder, state, ["segments"])
        before = read_kept(folder)
        if down_first:
            migrate(folder, 1)
        migrate(folder)
        with closing(opened(folder)) as outbox:
            leases = {stream: drained(outbox, stream=stream) for stream in STREAMS}
            assert not any(lease.lost for found in leases.values() for lease in found)
            found = [[numbers(lease) for lease in leases[stream]] for stream in STREAMS]
        after = read_kept(folder)
        assert before == after == replace(KEPT, floors={**KEPT.floors, "root": 7})
        return found, after.floors["root"]


def cut(shim: Path, root: Path, wrong: str, every: int = 1) -> list[tuple[int, object]]:
    """Cut the power after each operation of the way down and up; give what is not as it should be."""
    root.mkdir()
    trace = traced(PROGRAM, root, shim, wrong)
    noise = random.Random(15)
    played = Disk()
    begun = next(at for at, op in enumerate(trace) if op.data == b"filled\n")
    bad: list[tuple[int, object]] = []
    for at, op in enumerate(trace):
        played.play(op)
        if at >= begun and at % every == 0:
            try:
                found = after_a_cut(played.state(noise), down_first=noise.random() < 0.5)
            except (AssertionError, FolderUnusable, sqlite3.Error) as error:
                bad.append((at, error))
            else:
                whole = [[[n], [n + 3], [n + 6]] for n in range(3)]
                delivered = [[], *whole[1:]] if "up" in played.marks else whole
                if found not in ((whole, 7), (delivered, 7)):
                    bad.append((at, found))
    assert played.marks == ["filled", "down", "up"]
    return bad


def test_no_power_cut_on_the_way_down_or_up_loses_a_result_or_a_floor(shim: Path, tmp_path: Path) -> None:
    assert cut(shim, tmp_path / "data", "", every=2) == []


def test_a_careless_migration_is_caught(shim: Path, tmp_path: Path) -> None:
    """So that the test above is known to see what it looks for."""
    assert cut(shim, tmp_path / "data", "syncs nothing itself", every=4) != []
