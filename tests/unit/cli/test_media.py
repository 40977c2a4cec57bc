"""edge-agent media: the list and the copies, as a user sees them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from agent.cli import main
from agent.store.media import MediaShelf, listed
from tests.simulators.media_made import avi, jpeg, medium

if TYPE_CHECKING:
    from pathlib import Path

S = 1_000_000_000
NOON = 1_764_158_400 * S
"""2025-11-26 12:00 UTC."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A snapshot at noon, and a clip an hour later."""
    shelf = MediaShelf(tmp_path / "data", 1 << 20)
    (tmp_path / "data").mkdir()
    shelf.keep(medium(jpeg(1), wall_ns=NOON))
    shelf.keep(medium(avi(2), "clip", wall_ns=NOON + 3600 * S, clip="ab" * 8, events=("a\x1b[2Jb", "c")))
    return tmp_path / "data"


def asked(folder: Path, *arguments: str) -> int:
    return main.run(["media", *arguments, "--folder", str(folder)])


def test_the_list_says_when_whose_what_and_where(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(folder) == 0
    snapshot, clip = listed(folder)
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == f"2025-11-26 12:00:00  door  glyph.seen  snapshot  1.0 kB  {snapshot.sha256}"
    assert second.startswith("2025-11-26 13:00:00  door  a")
    assert second.endswith(f"  clip  1.0 kB  {clip.sha256}")
    assert "\x1b" not in second
    assert last == f"2 snapshots and clips in {folder}"
    assert asked(folder, "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["clip"], one["file"], one["type"]) for one in told] == [
        ("", snapshot.name, "image/jpeg"),
        ("ab" * 8, clip.name, "video/x-msvideo"),
    ]


def test_only_what_is_newer_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(folder, "--since", "2025-11-26T12:30", "--json") == 0
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["kind"] == "clip"


def test_copies_have_names_that_people_can_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "a" / "b"
    assert asked(folder, "export", str(target)) == 0
    snapshot, clip = listed(folder)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {
        f"2025-11-26T120000.000Z-door-7-{snapshot.sha256[:8]}.jpg": jpeg(1),
        f"2025-11-26T130000.000Z-door-7-{clip.sha256[:8]}.avi": avi(2),
    }
    assert capsys.readouterr().out.splitlines()[-1] == f"2 snapshots and clips copied into {target}"


def test_what_cannot_be_done_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for arguments, code, words in (
        (("export",), 78, "export goes with a folder"),
        (("list", "x"), 78, "export goes with a folder"),
        (("export", str(tmp_path / "file")), 1, "File exists"),
    ):
        assert asked(folder, *arguments) == code
        [line] = capsys.readouterr().err.splitlines()
        assert words in line
    assert asked(tmp_path / "away") == 1
    assert "there is no such folder" in capsys.readouterr().err


def test_a_folder_without_media_has_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(tmp_path) == 0
    assert capsys.readouterr().out == f"0 snapshots and clips in {tmp_path}\n"


def test_a_folders_name_steers_no_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(folder, "export", str(folder.parent / "a\x1b[2Jb")) == 0
    assert "\x1b" not in capsys.readouterr().out
