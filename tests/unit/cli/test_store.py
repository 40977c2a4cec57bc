"""edge-agent store: its parts, as a user sees them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from agent.cli import main
from agent.sqlite import version_of
from agent.store.folder import DataFolder
from tests.simulators.outboxes import acknowledge, fill, opened

if TYPE_CHECKING:
    from pathlib import Path

PARTS = [["purge", "--yes"], ["verify", "--repair"], ["migrate"]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five results, two of them acknowledged, each in a segment of its own; and one alert."""
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 5)
        outbox.put([{"n": 6}], {}, "alert")
        outbox.flush()
        acknowledge(outbox, outbox.epoch, 2)
    return tmp_path


def asked(folder: Path, part: str, *options: str) -> int:
    return main.run(["store", part, "--folder", str(folder), *options])


def spoil(folder: Path) -> None:
    [path] = (folder / "segments").glob("result-*-000000000004.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE blocks SET crc = crc + 1")


def answer(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_stats_count_each_stream(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(folder, "stats", "--json") == 0
    streams = answer(capsys)["streams"]
    result = streams["result"]
    assert (result["epochs"], result["segments"], result["blocks"], result["records"]) == (1, 3, 3, 3)
    assert (result["waiting"], streams["alert"]["records"], streams["metric"]["records"]) == (3, 1, 0)
    assert result["oldest_ns"] <= result["newest_ns"]
    assert result["size"] > 0
    assert asked(folder, "stats") == 0
    assert "3 records, 3 wait for the collector" in capsys.readouterr().out


def test_verify_names_the_damaged_block_and_repair_mends_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(folder, "verify") == 0
    assert capsys.readouterr().out.startswith("ok: 4 segments, 4 blocks, 4 records")
    spoil(folder)
    assert asked(folder, "verify") == 1
    captured = capsys.readouterr()
    assert "-000000000004.db: records 4..4: a block is damaged" in captured.out
    assert "edge-agent store verify --repair" in captured.err
    assert asked(folder, "verify", "--json") == 1
    found = answer(capsys)
    assert (found["ok"], found["findings"][0]["first"], found["mended"]) == (False, 4, [])
    assert asked(folder, "verify", "--repair") == 0
    assert "mended result-" in capsys.readouterr().out
    assert asked(folder, "stats") == 0
    out = capsys.readouterr().out
    assert "lost 1 damaged" in out
    assert "quarantine 1 files" in out


def test_purge_asks_and_does_nothing_without_a_yes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted((folder / "segments").iterdir())
    assert asked(folder, "purge") == 1  # no terminal: nobody can be asked
    assert "give --yes" in capsys.readouterr().err
    assert sorted((folder / "segments").iterdir()) == before
    assert asked(folder, "purge", "--yes", "--json") == 0
    found = answer(capsys)
    assert (found["records"], found["undelivered"]) == (4, 4)
    assert list((folder / "segments").iterdir()) == []


@pytest.mark.parametrize("part", PARTS)
def test_a_folder_that_no_agent_has_used_is_left_alone(
    tmp_path: Path, part: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "thesis.txt").write_text("years of work")
    assert asked(tmp_path, *part) == 1
    assert "no agent has used it" in capsys.readouterr().err
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["segments", "thesis.txt"]


@pytest.mark.parametrize("part", PARTS)
def test_nothing_is_changed_under_a_running_agent(
    folder: Path, part: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder)
    before = {path.name: path.read_bytes() for path in (folder / "segments").iterdir()}
    with DataFolder(folder):
        assert asked(folder, *part) == 1
        assert "Stop it first: systemctl stop edge-agent" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in (folder / "segments").iterdir()} == before


def test_migrate_goes_back_a_release_and_forth(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for version, changed in ((2, 1), (1, 4), (5, 4), (5, 0), (1, 4), (2, 4), (3, 1), (4, 1), (5, 1)):
        assert asked(folder, "migrate", "--to", str(version), "--json") == 0
        found = answer(capsys)
        assert (found["version"], len(found["changed"])) == (version, changed)
        assert version_of(folder / "state.db") == version
    assert asked(folder, "migrate", "--to", "7") == 1
    assert "there is no version 7" in capsys.readouterr().err
    assert asked(folder, "migrate") == 0
    assert "all files have version 5" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part in (["stats"], ["verify"], ["verify", "--repair"], ["purge", "--yes"], ["migrate"]):
        assert asked(tmp_path / "nosuch", *part) == 1
        assert "no such folder" in capsys.readouterr().err
    assert not (tmp_path / "nosuch").exists()
