"""edge-agent audit, as a user sees it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.cli import main
from agent.store.folder import DataFolder
from tests.simulators.keeping import KEPT, keep
from tests.simulators.outboxes import opened

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with closing(opened(tmp_path)) as outbox:
        keep(outbox)
    return tmp_path


def asked(folder: Path, part: str, *options: str) -> int:
    return main.run(["audit", part, "--folder", str(folder), *options])


def test_the_newest_entries_are_shown_oldest_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(folder, "show", "--json") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["seq"], one["kind"], one["subject"]) for one in found] == [
        (1, "model.activated", "door"),
        (2, "model.rejected", "door"),
    ]
    assert found[1]["detail"] == {"p95": 9.5}
    assert (found[1]["time"], found[1]["synced"]) == ("2023-11-14T22:13:20.000Z", True)
    assert found[1]["hash"] == KEPT.audit[1]
    assert asked(folder, "show", "--last", "1") == 0
    assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()] == [2]


def test_on_a_terminal_entries_are_a_table(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert asked(folder, "show") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["seq", "time", "(UTC)", "kind", "subject", "detail"]
    assert lines[2].split() == ["2", "2023-11-14", "22:13:20.000", "model.rejected", "door", "p95=9.5"]


def test_a_whole_chain_is_proved_beside_a_running_agent(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with DataFolder(folder), closing(opened(folder)):
        assert asked(folder, "verify") == 0
    seq, head = KEPT.audit
    assert capsys.readouterr().out == f"ok: entries 1 to 2 in {folder}\nhead {seq}:{head}\n"
    assert asked(folder, "verify", "--head", f"{seq}:{head}", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["entries"], found["seq"], found["hash"]) == (True, 2, seq, head)


def test_a_broken_chain_and_a_head_that_is_not_in_it_exit_with_1(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(folder, "verify", "--head", f"3:{KEPT.audit[1]}") == 1
    assert "FAIL the log ends at entry 2: once it had 3" in capsys.readouterr().out
    with closing(sqlite3.connect(folder / "state.db", isolation_level=None)) as db:
        db.execute("UPDATE audit SET body = x'7b7d' WHERE seq = 2")
    assert asked(folder, "verify", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["findings"]) == (
        False,
        ["entry 2: it is damaged, its checksum does not hold"],
    )
    assert asked(folder, "show") == 0
    captured = capsys.readouterr()
    assert [json.loads(line)["seq"] for line in captured.out.splitlines()] == [1]
    assert "left out because they are damaged: 1. Look closer with: edge-agent audit verify" in captured.err


def test_what_is_no_head_is_a_matter_of_usage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        asked(folder, "verify", "--head", "2")
    assert ended.value.code == 2
    assert "give a number, a colon and 64 hex digits" in capsys.readouterr().err


def test_a_folder_that_is_empty_has_nothing_and_one_that_is_not_there_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(tmp_path, "show") == 0
    assert "nothing found" in capsys.readouterr().err
    assert asked(tmp_path, "verify") == 0
    assert capsys.readouterr().out.startswith("ok: no entries")
    for part in ("show", "verify"):
        assert asked(tmp_path / "nosuch", part) == 1
        assert "no such folder" in capsys.readouterr().err
    assert not (tmp_path / "nosuch").exists()
