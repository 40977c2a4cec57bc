"""Disks that fill up or turn read-only under a store."""

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
