"""Models' rows on disks that fill up, turn read-only or lose their power: a change lands whole, and once."""

from __future__ import annotations

import os
import random
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from agent.slots import Change, Kept, Note, SlotRow, Verdict
from agent.store import custody
from agent.store.audit import proved
from agent.store.kept import read_kept
from tests.simulators.namespaces import namespaces_needed, run
from tests.simulators.outboxes import opened
from tests.simulators.power_cut import Disk, build, traced

STATES = int(os.environ.get("EDGE_AGENT_TESTS_POWER_CUTS", "100"))
SHARED_MEMORY = Path("/dev/shm")

FULL = """
from agent.slots import Change, Note, SlotRow
from agent.store.kept import read_kept
from agent.store.audit import proved
mount("size=2m")
running = Running(ballast_bytes=0)
running.put(8)
running.next(Committed)
fill()
def change(n):
    running.store.change(Change(
        put=(SlotRow("door", "active", "", "digits", str(n), "active", n),),
        documents={"desired": bytes([n]) * 200_000}, notes=(Note("model.activated", "door", {"n": n}),)), n)
for n in range(1, 8):
    change(n)
print(running.next(StoreFault).error.problem.partition(" (")[0])
time.sleep(0.5)
waiting = running.store.changing
print(0 < waiting <= 7, read_kept(folder).audit[0] == 7 - waiting)
(folder / "filler").unlink()
while (done := running.next(Changed)).token != 7:
    assert done.audit[0] == done.token
print(done.audit[0], running.store.changing, running.store.close(10))
kept = read_kept(folder)
print([row.version for row in kept.slots], set(kept.documents["desired"]), kept.audit == done.audit)
print(proved(folder, done.audit).findings)
"""


@pytest.fixture(scope="module")
def _namespaces(tmp_path_factory: pytest.TempPathFactory) -> None:
    namespaces_needed(tmp_path_factory.mktemp("namespace"))


@pytest.mark.usefixtures("_namespaces")
def test_on_a_full_disk_changes_wait_and_land_once_and_in_their_order(tmp_path: Path) -> None:
    said = run(FULL, tmp_path, namespace=True).splitlines()
    assert said == ["the disk is full", "True True", "7 0 True", "['7'] {7} True", "()"]


@pytest.mark.usefixtures("_namespaces")
def test_after_a_start_on_a_read_only_disk_what_is_kept_is_read_and_changes_wait(tmp_path: Path) -> None:
    said = run(
        """
from contextlib import closing
from agent.store.kept import read_kept
from tests.simulators.keeping import CHANGE, KEPT, keep
from tests.simulators.outboxes import opened
mount("size=4m")
with closing(opened(folder)) as outbox:
    keep(outbox)
mount("remount,ro")
print(read_kept(folder) == KEPT)
running = Running()
running.store.change(CHANGE, 1)
time.sleep(0.5)
print(running.store.changing, read_kept(folder) == KEPT)
mount("remount,rw")
print(running.next(Changed).audit[0], running.store.close(10), read_kept(folder).audit[0])
""",
        tmp_path,
        namespace=True,
    ).splitlines()
    assert said == ["True", "1 True", "4 True 4"]


# Changes, results and starts; says each change that is durable. Then the state is damaged and made anew.
PROGRAM = """
import os, sqlite3, sys
from contextlib import closing
from pathlib import Path
from agent import sqlite
from agent.store import custody, rebuild, repair
from tests.integration.store.test_changes import change
from tests.simulators.outboxes import opened

custody.MOST_ENTRIES, custody.MOST_VERDICTS = 9, 4
root, wrong = Path(sys.argv[1]), sys.argv[2]
marks = os.open(root / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
if wrong == "NORMAL":
    set_up = sqlite._set_up
    def careless(db, *more):
        set_up(db, *more)
        db.execute("PRAGMA synchronous=NORMAL")
    sqlite._set_up = careless
if wrong == "set aside first":
    rescued = rebuild.rescued
    def hasty(path):
        found = rescued(path)
        repair.set_aside(path)
        return found
    rebuild.rescued = hasty
n, left = 0, []
for start in range(3):
    outbox = opened(root)
    left.append(outbox)  # nobody closes the first one, so its log is never folded in
    for _ in range(8):
        n += 1
        seq, head = outbox.change(change(n), n, synced=True)
        os.write(marks, f"{n} {seq} {head}\\n".encode())
        outbox.put([{"n": n}], {})
        outbox.flush()
    if start:
        outbox.close()
with closing(sqlite3.connect(root / "state.db", isolation_level=None)) as db:
    db.execute("UPDATE epochs SET acked = acked + 1")
os.write(marks, b"damaged\\n")
opened(root).close()
os.write(marks, b"rebuilt\\n")
"""


def change(n: int) -> Change:
    return Change(
        put=(SlotRow("door", "active", "", "digits", str(n), "active", n),),
        drop=(("door", "previous"),) if n % 3 else (),
        verdicts=(Verdict("door", str(n), "digits", str(n), "rejected", "it is too slow"),),
        floors={"clock": n},
        documents={"desired": b"%d" % n * 3000},
        notes=(Note("model.activated", "door", {"n": n}),) * (n % 3),
    )


def expected(n: int) -> Kept:
    """What is kept after the nth change, but for the audit log's head."""
    if n == 0:
        return Kept()
    last = change(n)
    verdicts = tuple(change(one).verdicts[0] for one in range(max(1, n - 3), n + 1))
    return Kept(last.put, verdicts, last.floors, last.documents)


def judged(state: dict[str, bytes], marks: list[str]) -> str:
    """Make one state, read it and open it with the real outbox; say what is wrong with it."""
    done = [mark.split() for mark in marks if mark[0].isdigit()]
    n, seq, head = (int(done[-1][0]), int(done[-1][1]), done[-1][2]) if done else (0, 0, "")
    base = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=base) as name:
        folder = Path(name)
        build(folder, state, ["segments"])
        before = read_kept(folder)
        told = Kept(before.slots, before.verdicts, before.floors, before.documents)
        if told not in (expected(n), expected(n + 1)):
            return f"after change {n}: {[row.version for row in before.slots]}"
        opened(folder).close()
        after = read_kept(folder)
        if (after.slots, after.verdicts, after.floors) != (before.slots, before.verdicts, before.floors):
            return f"after change {n}: read {before.slots}, went on with {after.slots}"
        return "; ".join(proved(folder, (seq, head) if seq else None).findings)


def cut(shim: Path, root: Path, wrong: str, states: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Cut the power so many times; give what went wrong, a line each."""
    for name, most in (("MOST_ENTRIES", 9), ("MOST_VERDICTS", 4)):
        monkeypatch.setattr(custody, name, most)
    root.mkdir()
    noise = random.Random(16)
    trace = traced(PROGRAM, root, shim, wrong)
    late = next(at for at, op in enumerate(trace) if op.data == b"damaged\n")
    anywhere = [noise.randrange(len(trace)) for _ in range(states // 2)]
    points = Counter(anywhere + [noise.randrange(late, len(trace)) for _ in range(states // 2)])
    disk, found = Disk(), []
    for at, op in enumerate(trace):
        disk.play(op)
        problems = [judged(disk.state(noise), disk.marks) for _ in range(points[at])]
        found += [f"after operation {at} ({op.kind} {op.path}): {one}" for one in problems if one]
    assert disk.marks[-1] == "rebuilt"
    return found


@pytest.mark.timeout(1200)
def test_no_power_cut_takes_a_change_or_a_part_of_one_or_an_entry(
    shim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cut(shim, tmp_path / "data", "", STATES, monkeypatch) == []


@pytest.mark.parametrize("mistake", ["NORMAL", "set aside first"])
def test_a_careless_store_is_caught(
    shim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    """So that the test above is known to see what it looks for."""
    assert cut(shim, tmp_path / "data", mistake, 40, monkeypatch) != []
