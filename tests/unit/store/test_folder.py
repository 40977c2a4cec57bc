from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from agent.errors import EXIT_FAILED, ConfigInvalid, FolderHeld, FolderUnusable, StoreBusy
from agent.store.folder import DataFolder
from agent.store.outbox import Outbox
from agent.store.purge import purge
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from pathlib import Path


def test_a_missing_folder_is_made_for_the_agent_alone(tmp_path: Path) -> None:
    path = tmp_path / "var" / "agent"
    with DataFolder(path) as folder:
        assert folder.path == path
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert stat.S_IMODE((path / "lock").stat().st_mode) == 0o600


def test_the_proof_leaves_nothing_behind(tmp_path: Path) -> None:
    with DataFolder(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_second_agent_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with DataFolder(tmp_path), pytest.raises(FolderHeld) as refused:
        DataFolder(tmp_path)
    assert str(refused.value) == (
        f"use data folder {tmp_path}: another agent holds it (pid {os.getpid()})."
        " Stop that agent, or set store.path to another folder"
    )
    assert refused.value.exit_code == EXIT_FAILED


def test_a_refused_agent_leaves_the_lock_as_it_is(tmp_path: Path) -> None:
    with DataFolder(tmp_path):
        for _ in range(3):
            with pytest.raises(FolderUnusable, match=f"pid {os.getpid()}"):
                DataFolder(tmp_path)


def test_closing_frees_the_folder(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.close()
    folder.close()
    with DataFolder(tmp_path):
        pass


def test_the_lock_of_a_killed_agent_is_free(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from agent.store.folder import DataFolder;"
        "folder = DataFolder(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(FolderUnusable, match=rf"another agent holds it \(pid {other.pid}\)"):
            DataFolder(tmp_path)
        other.kill()
        other.wait()
        with DataFolder(tmp_path):
            pass


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FolderUnusable, match=r"it is not a folder\. Remove that file"):
        DataFolder(tmp_path / "file" / below)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_link_in_the_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FolderUnusable, match="its lock is a symbolic link"):
        DataFolder(tmp_path)
    assert (tmp_path / "elsewhere").read_text() == "precious"


def test_a_name_that_no_file_system_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderUnusable, match=r"File name too long\. Set store\.path"):
        DataFolder(tmp_path / ("x" * 300))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; see tests/integration/store")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(FolderUnusable, match=r"permission denied\. Give the agent's user write access"):
        DataFolder(tmp_path)
    tmp_path.chmod(0o700)


def test_a_folder_where_files_cannot_grow_is_refused_and_let_go(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(FolderUnusable, match="Raise its file size limit"):
            DataFolder(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with DataFolder(tmp_path):
        assert not (tmp_path / ".probe").exists()


def test_a_folder_changes_hands_only_when_nothing_waits_in_it(tmp_path: Path) -> None:
    for device in ("gate", "yard"):
        DataFolder(tmp_path, device).close()
    outbox = Outbox(tmp_path, clock=ManualClock())
    outbox.put([{"n": 1}], {})
    outbox.flush()
    outbox.close()
    with pytest.raises(
        ConfigInvalid, match="records of the device 'yard' wait in it, and this one is 'gate'"
    ):
        DataFolder(tmp_path, "gate")
    DataFolder(tmp_path, "yard").close()
    DataFolder(tmp_path).close()
    outbox = Outbox(tmp_path, clock=ManualClock())
    [epoch] = [name for name in outbox.queues["result"].epochs if name != outbox.epoch]
    outbox.ack(epoch, 1)
    outbox.settle()
    outbox.close()
    DataFolder(tmp_path, "gate").close()
    assert (tmp_path / "device").read_text() == "gate\n"


def test_a_folder_keeps_its_hands_until_the_collector_knows_what_was_lost_of_it(tmp_path: Path) -> None:
    DataFolder(tmp_path, "yard").close()
    outbox = Outbox(tmp_path, clock=ManualClock())
    outbox.put([{"n": 1}], {})
    outbox.flush()
    outbox.close()
    purge(tmp_path)
    with pytest.raises(ConfigInvalid, match="records of the device 'yard' wait"):
        DataFolder(tmp_path, "gate")
    outbox = Outbox(tmp_path, clock=ManualClock())
    lease = outbox.lease(None, 1)
    assert lease is not None
    outbox.ack(lease.epoch, lease.last)
    outbox.settle()
    outbox.close()
    DataFolder(tmp_path, "gate").close()
    assert (tmp_path / "device").read_text() == "gate\n"


def test_a_folder_whose_owner_cannot_be_read_for_now_is_not_taken_for_nobodys(tmp_path: Path) -> None:
    (tmp_path / "device").mkdir()  # as good as an I/O error
    with DataFolder(tmp_path, "gate") as folder:
        assert folder.problem is not None
        assert str(folder.problem) == f"read {tmp_path / 'device'}: Is a directory. Check the disk"
        with pytest.raises(StoreBusy):
            folder.take()
        (tmp_path / "device").rmdir()
        (tmp_path / "device").write_text("gate")
        folder.take()


@pytest.mark.parametrize("owner", ["", "yard"])
def test_a_folder_changes_hands_only_when_that_is_noted(tmp_path: Path, owner: str) -> None:
    if owner:
        DataFolder(tmp_path, owner).close()
    (tmp_path / ".device.new").mkdir()  # nothing can be written there
    with DataFolder(tmp_path, "gate") as folder:
        assert (folder.problem is not None) == bool(owner)
    (tmp_path / ".device.new").rmdir()
    DataFolder(tmp_path, "gate").close()
    assert (tmp_path / "device").read_text() == "gate\n"
