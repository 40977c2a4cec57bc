"""Starts on disks that are full or read-only: the store works in memory until they are back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulators.namespaces import namespaces_needed, run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def _namespaces(tmp_path_factory: pytest.TempPathFactory) -> None:
    namespaces_needed(tmp_path_factory.mktemp("namespace"))


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
def test_a_check_tells_of_a_disk_that_is_full_or_read_only_and_writes_nothing(tmp_path: Path) -> None:
    said = run(
        """
from agent.cli.examining.folder_check import examine

def told():
    try:
        return examine(folder, "gate") == str(folder)
    except AgentError as error:
        return error.problem

mount("size=1m")
print(told())
fill()
before = [path.name for path in folder.iterdir()]
print(told(), [path.name for path in folder.iterdir()] == before)
mount("remount,ro")
print(told())
""",
        tmp_path,
        namespace=True,
    ).splitlines()
    assert said == ["True", "the disk is full True", "the file system is read-only"]
