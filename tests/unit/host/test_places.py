"""What the helper reads is written by somebody whom it does not trust."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from agent.documents.helper import MAX_BYTES
from agent.errors import Rejected
from agent.host.places import read_hostile, read_own, remove_hostile

if TYPE_CHECKING:
    from pathlib import Path


def test_a_plain_file_is_read_and_none_is_none(tmp_path: Path) -> None:
    assert read_hostile(tmp_path / "nowhere", "request.json") is None
    assert read_hostile(tmp_path, "request.json") is None
    (tmp_path / "request.json").write_bytes(b"x" * MAX_BYTES)
    assert read_hostile(tmp_path, "request.json") == b"x" * MAX_BYTES


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder", "large"])
def test_what_is_no_small_plain_file_of_its_own_is_refused_at_once_and_can_be_removed(
    tmp_path: Path, kind: str
) -> None:
    folder, secret = tmp_path / "asked", tmp_path / "secret"
    folder.mkdir()
    secret.write_bytes(b"{}")
    path = folder / "request.json"
    match kind:
        case "link":
            path.symlink_to(secret)
        case "hard link":
            path.hardlink_to(secret)
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
            (path / "out").symlink_to(tmp_path)
        case _:
            path.write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(Rejected):
        read_hostile(folder, "request.json")
    remove_hostile(folder, "request.json")
    assert not os.path.lexists(path)
    assert secret.read_bytes() == b"{}"


def test_a_folder_that_is_a_link_is_not_entered(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "request.json").write_bytes(b"{}")
    (tmp_path / "asked").symlink_to("real")
    with pytest.raises(Rejected):
        read_hostile(tmp_path / "asked", "request.json")
    with pytest.raises(OSError, match="asked"):
        remove_hostile(tmp_path / "asked", "request.json")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: to give a file away")
def test_a_file_of_somebody_else_than_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_bytes(b"{}")
    os.chown(tmp_path / "request.json", 12345, 12345)
    with pytest.raises(Rejected):
        read_hostile(tmp_path, "request.json")


def test_a_file_of_our_own_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "told.json").write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(Rejected):
        read_own(tmp_path / "told.json")
