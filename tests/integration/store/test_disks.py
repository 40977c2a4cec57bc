"""Disks that are full or read-only: real file systems, made in a user namespace, so nobody needs root."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]

# Every program gets the folder to work in as its first argument.
PRELUDE = """
import queue, resource, subprocess, sys, time
from pathlib import Path
from agent.blocks import Position, unpack
from agent.clock import SystemClock
from agent.errors import FolderUnusable
from agent.store.settings import StoreSettings
from agent.store.folder import DataFolder
from agent.store.reports import *
from agent.store.thread import Store

folder = Path(sys.argv[1])

def mount(*options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", *options, "tmpfs", folder], check=True)

def fill():
    subprocess.run(["dd", "if=/dev/zero", f"of={folder}/filler", "bs=4k"], stderr=subprocess.DEVNULL)

class Running:
    def __init__(self, folder=folder, take=lambda: None, **more):
        self.said = queue.SimpleQueue()
        settings = StoreSettings(commit_interval_s=0.02, block_results=8, segment_bytes=20_000, **more)
        self.store = Store(folder, self.said.put, clock=SystemClock(), settings=settings, take=take)
        self.store.start()
        self.n = 0

    def put(self, count):
        for _ in range(count):
            self.n += 1
            self.store.put([{"n": self.n, "x": str(hash(str(self.n))) * 20}], {})

    def next(self, kind):
        while not isinstance(report := self.said.get(timeout=20), kind):
            pass
        return report

    def drained(self):
        after, found = None, []
        while True:
            self.store.lease("result", after, 10_000, 0)
            if (lease := self.next(Leased).lease) is None:
                return found
            found += [record["n"] for block in lease.blocks for record in unpack(block)[0]]
            after = Position(lease.epoch, lease.last)
"""


@pytest.fixture(scope="module")
def _namespaces(tmp_path_factory: pytest.TempPathFactory) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare (util-linux)")
    place = tmp_path_factory.mktemp("namespace")
    trial = subprocess.run(
        [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if trial.returncode != 0:
        pytest.skip(f"this kernel gives no user namespaces: {trial.stderr.strip()}")


def run(program: str, folder: Path, *, namespace: bool) -> str:
    """Run a program on a folder; give what it printed."""
    command = [sys.executable, "-c", PRELUDE + program, str(folder)]
    done = subprocess.run(
        [*(NAMESPACE if namespace else []), *command], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.usefixtures("_namespaces")
def test_a_start_on_a_disk_where_no_folder_can_be_made_works_in_memory_and_locks_it_later(
    tmp_path: Path,
) -> None:
    said = run(
        """
mount("size=2m")
mount("remount,ro")
below = folder / "agent" / "data"
with DataFolder(below) as held:
    print(held.problem.problem, held.intact, below.exists())
    running = Running(below, take=held.take)
    running.put(100)
    running.next(Buffered)
    print(running.drained() == list(range(1, 101)))
    with DataFolder(below) as other:  # nobody has it yet
        print(other.problem.problem)
    mount("remount,rw")
    running.next(StoreRecovered)
    print(running.store.close(10), running.store.pending, held.intact)
    try:
        DataFolder(below)
    except FolderUnusable as error:
        print(error.problem.partition(" (")[0])
running = Running(below)
print(running.drained() == list(range(1, 101)))
running.store.close(10)
""",
        tmp_path,
        namespace=True,
    ).splitlines()
    assert said == [
        "the file system is read-only True False",
        "True",
        "the file system is read-only",
        "True 0 True",
        "another agent holds it",
        "True",
    ]


@pytest.mark.usefixtures("_namespaces")
def test_who_comes_too_late_for_the_folder_goes_on_in_memory_within_its_bound(tmp_path: Path) -> None:
    said = run(
        """
mount("size=2m")
mount("remount,ro")
below = folder / "data"
late = DataFolder(below)
running = Running(below, take=late.take, memory_bytes=10_000)
mount("remount,rw")
with DataFolder(below):
    while "another agent holds it" not in running.next(StoreFault).error.problem:
        pass
    for _ in range(50):
        running.put(100)
        while running.store.queued:
            time.sleep(0.01)
    lost = running.store.status().streams["result"].lost
    print(lost > 3000, [path.name for path in below.iterdir()])
running.next(StoreRecovered)
print(running.store.close(10), running.store.pending, late.intact)
""",
        tmp_path,
        namespace=True,
    ).splitlines()
    assert said == ["True ['lock']", "True 0 True"]


@pytest.mark.usefixtures("_namespaces")
def test_a_start_on_a_read_only_disk_works_in_memory_and_then_goes_on_with_what_was_there(
    tmp_path: Path,
) -> None:
    said = run(
        """
mount("size=2m")
with DataFolder(folder):
    running = Running()
    running.put(16)
    print(running.store.close(10))
mount("remount,ro")
with DataFolder(folder) as held:
    print(held.problem.problem)
    running = Running()
    print(type(running.next(StoreFault).error).__name__)
    running.n = 16
    running.put(100)
    running.next(Buffered)
    leased = running.drained()
    print(leased[0], leased == list(range(17, leased[-1] + 1)))  # what waits in memory can be sent
    print(running.store.refusing, running.store.status().memory)
    mount("remount,rw")
    running.next(StoreRecovered)
    print(running.store.close(10), running.store.pending)
running = Running()
print(running.drained() == list(range(1, 117)))
running.store.close(10)
""",
        tmp_path,
        namespace=True,
    ).splitlines()
    assert said == [
        "True",
        "the file system is read-only",
        "StoreBusy",
        "17 True",
        "True True",
        "True 0",
        "True",
    ]


@pytest.mark.usefixtures("_namespaces")
def test_a_start_on_a_full_disk_works_in_memory_until_there_is_room(tmp_path: Path) -> None:
    said = run(
        """
mount("size=256k")
DataFolder(folder).close()
fill()
with DataFolder(folder) as held:
    print(held.problem.problem)
    running = Running()
    running.put(100)
    running.next(Buffered)
    (folder / "filler").unlink()
    running.next(StoreRecovered)
    print(running.store.close(10), running.store.pending, sorted(p.name for p in folder.iterdir()))
""",
        tmp_path,
        namespace=True,
    ).splitlines()
    assert said[0] == "the disk is full"
    assert said[1].startswith("True 0 ['lock', 'segments', 'state.db'")


@pytest.mark.usefixtures("_namespaces")
def test_a_disk_that_fills_up_loses_nothing_and_still_delivers(tmp_path: Path) -> None:
    said = run(
        """
mount("size=2m")
running = Running()
running.put(400)
running.next(Committed)
fill()
running.put(2000)
print(running.next(StoreFault).error)
time.sleep(0.5)
pending = running.store.pending
print(pending > 0, running.store.status().committed + pending == 2400)
early = running.drained()
print(early == list(range(1, 2401)), 0 < running.store.status().committed < 2400)
(folder / "filler").unlink()
running.next(StoreRecovered)
print(running.store.close(10), running.store.pending)
running = Running()
print(running.drained() == list(range(1, 2401)))
running.store.close(10)
""",
        tmp_path,
        namespace=True,
    ).splitlines()
    assert "the disk is full" in said[0] or "I/O error" in said[0] or "does not open" in said[0]
    assert said[1:] == ["True True", "True True", "True 0", "True"]


@pytest.mark.usefixtures("_namespaces")
def test_a_folder_that_turns_read_only_under_way_loses_nothing(tmp_path: Path) -> None:
    said = run(
        """
running = Running()
running.put(8)
running.next(Committed)
# The kernel turns no mount read-only while a file in it is open for writing, so another one goes on top.
subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder / "segments"], check=True)
running.put(1000)
print(running.next(StoreFault).error.op)
time.sleep(0.3)
print(running.store.pending > 0)
subprocess.run(["umount", folder / "segments"], check=True)
running.next(StoreRecovered)
print(running.drained() == list(range(1, 1009)))
print(running.store.close(10), running.store.pending)
""",
        tmp_path,
        namespace=True,
    ).splitlines()
    assert said == ["open", "True", "True", "True 0"]


def test_files_that_cannot_grow_lose_nothing(tmp_path: Path) -> None:
    """A limit on file size refuses writes for everybody, in any sandbox: SQLite sees a failing disk."""
    said = run(
        """
running = Running()
running.put(8)
running.next(Committed)
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
running.put(1000)
print(running.next(StoreFault).error.hint)
time.sleep(0.5)
print(running.store.pending > 0)
resource.setrlimit(resource.RLIMIT_FSIZE, before)
running.next(StoreRecovered)
print(running.drained() == list(range(1, 1009)))
print(running.store.close(10), running.store.pending)
""",
        tmp_path,
        namespace=False,
    ).splitlines()
    assert said == ["Look at the kernel log and the free space", "True", "True", "True 0"]
