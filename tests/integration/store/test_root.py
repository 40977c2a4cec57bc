"""Root looks after a folder that is another user's, as systemd's dynamic users need it."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.cli import doctor, main
from agent.cli.device.owner import as_owner
from agent.cli.examining.folder_check import examine
from agent.confinement import capabilities
from agent.errors import FolderUnusable
from tests.simulators.outboxes import fill, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
PARTS = (("verify", "--repair"), ("migrate", "--to", "1"), ("migrate",), ("purge", "--yes"))


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder of nobody's, with two damaged files, where only root gets through: /var/lib/private is so."""
    folder = tmp_path / "private" / "edge-agent"
    folder.mkdir(parents=True)
    with closing(opened(folder)) as outbox:
        fill(outbox, 5)
    first = next((folder / "segments").iterdir())
    for damaged in (folder / "state.db", first):
        damaged.write_bytes(b"no database")
    nobody = pwd.getpwnam("nobody")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    folder.parent.chmod(0o700)
    return folder


def test_what_root_makes_in_a_folder_belongs_to_the_folders_owner(theirs: Path) -> None:
    for part in PARTS:
        command = [sys.executable, "-m", "agent.cli.main", "store", *part, "--folder", str(theirs)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        owner = theirs.stat()
        strangers = [
            path.name
            for path in theirs.rglob("*")
            if (path.stat().st_uid, path.stat().st_gid) != (owner.st_uid, owner.st_gid)
        ]
        assert strangers == [], part
    made = {path.name for path in theirs.iterdir()}
    assert made >= {"lock", "quarantine", "segments", "state.db"}


@pytest.fixture
def foreign(theirs: Path) -> Iterator[Path]:
    """The same folder, while the test is a third user; what it needs of Python is loaded by then."""
    main.run(["store", "verify", "--repair", "--folder", str(theirs)])
    os.seteuid(pwd.getpwnam("daemon").pw_uid)
    yield theirs
    os.seteuid(0)


def test_somebody_else_is_told_to_be_root(foreign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part in (("verify", "--repair"), ("verify",), ("stats",)):
        assert main.run(["store", *part, "--folder", str(foreign)]) == 1
        assert "ermission denied. Run this as root, or as the agent's user" in capsys.readouterr().err
    with pytest.raises(FolderUnusable, match=r"permission denied\. Run this as root or"):
        examine(foreign, "gate")
    assert doctor._disk(foreign)["verdict"] == "warn"


def test_as_the_owner_root_writes_nowhere_else_and_is_root_again_afterwards(
    theirs: Path, tmp_path: Path
) -> None:
    (theirs / "way").symlink_to(tmp_path)
    before = os.getresuid(), os.getresgid(), capabilities.held()
    with as_owner(theirs):
        (theirs / "mine").write_text("x")
        assert list(tmp_path.iterdir())
        with pytest.raises(PermissionError):
            (theirs / "way" / "file").write_text("x")
    assert (os.getresuid(), os.getresgid(), capabilities.held()) == before
    (theirs / "way" / "file").write_text("x")
