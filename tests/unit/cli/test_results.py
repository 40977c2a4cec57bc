"""edge-agent results, on data folders that an outbox has written."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.blocks import Content
from agent.cli import main
from agent.cli.querying import rows
from agent.cli.terminal.printing import print_table
from agent.moments import written
from tests.simulators.clocks import ManualClock
from tests.simulators.outboxes import acknowledge, opened

if TYPE_CHECKING:
    from pathlib import Path

LEDGER = {
    "captured": 9, "inferred": 5, "gated": 0, "dropped": {"overwritten": 2}, "failed": {"input": 1},
    "lost": 1, "in_flight": 0,
}  # fmt: skip


def detection(n: int, pipeline: str = "door") -> dict[str, Any]:
    items = [{"label": f"l{n % 2}", "index": 0, "score": n / 10, "box": [0.1, 0.2, 0.5, 0.8]}]
    return {"pipeline": pipeline, "kind": "detection", "frame": n, "infer_us": 1500, "items": items}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six results of two pipelines in two starts, the first acknowledged; alerts, metrics and notes."""
    clock = ManualClock()
    for start in (0, 3):
        with closing(opened(tmp_path, clock=clock)) as outbox:
            for n in range(start, start + 3):
                clock.tick(3600)
                outbox.put([detection(n, "door" if n % 3 else "gate")], {"door": LEDGER})
                outbox.flush()
            if not start:
                acknowledge(outbox, outbox.epoch, 1)
            outbox.put([{"pipeline": "door", "kind": "ledger", "items": [LEDGER]}], {"door": LEDGER})
            outbox.put([detection(8)], {}, "alert")
            metric = {"name": "infer_seconds", "type": "histogram", "count": 3, "p99": 0.5, "unit": "s"}
            outbox.put([{"kind": "metrics", "pipeline": "door", "items": [metric]}], {}, "metric")
            outbox.flush()
    return tmp_path


def asked(folder: Path, *options: str) -> int:
    return main.run(["results", "--folder", str(folder), *options])


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_newest_results_are_listed_oldest_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(folder, "--limit", "3") == 0
    found = lines(capsys.readouterr().out)
    assert [one["frame"] for one in found] == [3, 4, 5]
    assert found[0]["items"] == detection(3)["items"]
    assert asked(folder) == 0
    assert [one["frame"] for one in lines(capsys.readouterr().out)] == [1, 2, 3, 4, 5]


def test_a_row_has_the_columns_that_people_ask_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked(folder, "--limit", "1")
    [row] = lines(capsys.readouterr().out)
    expected = {
        "pipeline": "door", "kind": "detection", "label": "l1", "score": 0.5, "x": 0.2, "y": 0.1,
        "width": 0.6, "height": 0.4, "count": 1, "frame": 5, "infer_ms": 1.5,
        "delivered": 0, "stream": "result", "seq": 3,
    }  # fmt: skip
    assert {key: row[key] for key in expected} == expected
    assert row["time"] == written(row["wall_ns"])


def test_rows_are_narrowed_by_pipeline_stream_and_time(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(folder, "--pipeline", "gate")
    assert [one["frame"] for one in lines(capsys.readouterr().out)] == [3]
    asked(folder, "--stream", "alert")
    assert [one["frame"] for one in lines(capsys.readouterr().out)] == [8, 8]
    asked(folder)
    times = {one["frame"]: one["time"] for one in lines(capsys.readouterr().out)}
    asked(folder, "--since", times[4].replace("Z", "+00:00"))
    assert [one["frame"] for one in lines(capsys.readouterr().out)] == [4, 5]


def test_any_select_is_answered_from_the_tables(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def sql(query: str, *options: str) -> list[dict[str, Any]]:
        assert asked(folder, "--sql", query, *options) == 0
        return lines(capsys.readouterr().out)

    assert sql("SELECT label, count(*) AS n FROM results GROUP BY label ORDER BY label") == [
        {"label": "l0", "n": 2},
        {"label": "l1", "n": 3},
    ]
    assert sql("SELECT count(*) AS n FROM alerts") == [{"n": 2}]
    assert sql("SELECT DISTINCT name, count, p99, more FROM metrics") == [
        {"name": "infer_seconds", "count": 3.0, "p99": 0.5, "more": '{"unit":"s"}'}
    ]
    assert sql("SELECT DISTINCT captured, dropped, failed, lost FROM ledger WHERE stream = 'result'") == [
        {"captured": 9, "dropped": 2, "failed": 1, "lost": 1}
    ]
    assert sql("SELECT count(*) AS n FROM results", "--pipeline", "gate") == [{"n": 1}]


CROSSED = {"event": "line.crossed", "label": "l1", "track": 3, "line": "gate", "way": "in"}


def test_what_filters_noticed_is_a_column_and_a_table_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    also = {"faces": {"kind": "embedding", "items": []}}
    with closing(opened(tmp_path)) as outbox:
        outbox.put([detection(1), {**detection(2), "events": [CROSSED, {"event": 5}], "also": also}], {})
        outbox.put([{**detection(4), "events": [{"event": "zone.left", "zone": "yard"}]}], {}, "alert")
        outbox.put([{**detection(5), "events": "none of ours", "pipeline": "gate"}], {}, "alert")
        outbox.flush()
    asked(tmp_path)
    plain, one = lines(capsys.readouterr().out)
    assert (plain["events"], plain["also"], plain["more"]) == (None, None, None)
    assert (one["events"], one["also"]) == ([CROSSED, {"event": 5}], also)
    query = "SELECT stream, frame, n, event, label, track, zone, line FROM rule_events ORDER BY frame, n"
    asked(tmp_path, "--sql", query, "--json")
    assert [tuple(row.values()) for row in lines(capsys.readouterr().out)] == [
        ("result", 2, 0, "line.crossed", "l1", 3, None, "gate"),
        ("result", 2, 1, None, None, None, None, None),
        ("alert", 4, 0, "zone.left", None, None, "yard", None),
    ]
    asked(tmp_path, "--sql", "SELECT body->>'way' AS way FROM rule_events WHERE track = 3")
    assert lines(capsys.readouterr().out) == [{"way": "in"}]


def test_what_filters_held_back_is_a_column_of_the_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {**LEDGER, "captured": 16, "filtered": {"change": 4, "debounce": 3}}
    with closing(opened(tmp_path)) as outbox:
        outbox.put([detection(1)], {"door": told, "an older release's": LEDGER})
        outbox.flush()
    query = "SELECT filtered, reasons->'filtered' AS by FROM ledger ORDER BY captured"
    assert asked(tmp_path, "--sql", query) == 0
    assert lines(capsys.readouterr().out) == [
        {"filtered": 0, "by": "{}"},
        {"filtered": 7, "by": '{"change":4,"debounce":3}'},
    ]


def test_what_was_not_looked_at_is_told_on_standard_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(folder, "--sql", "SELECT count(*) AS n FROM results", "--stream", "result", "--limit", "2")
    captured = capsys.readouterr()
    assert lines(captured.out) == [{"n": 1}]  # of the two newest records one is the ledger's note
    assert "5 older records were not looked at" in captured.err


def test_an_export_is_whole_and_a_spreadsheet_runs_nothing_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(opened(tmp_path)) as outbox:
        for n in range(120):
            outbox.put([detection(n) | {"pipeline": "=1+1"}], {})
        outbox.flush()
    assert asked(tmp_path, "--export", "csv") == 0
    found = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [int(row["frame"]) for row in found] == list(range(120))
    assert found[0]["pipeline"] == "'=1+1"
    assert list(found[0]) == list(rows.RESULTS)
    assert asked(tmp_path, "--export", "ndjson") == 0
    assert len(capsys.readouterr().out.splitlines()) == 120


def test_what_cannot_be_answered_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in (["--sql", "DROP TABLE results"], ["--sql", "SELECT nosuch FROM results"]):
        assert asked(folder, *options) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert len(captured.err.splitlines()) == 1
        assert "The tables are results, alerts, rule_events, metrics, ledger" in captured.err
    for odd in ("SELECT '\udcff'", "", " ; "):
        assert asked(folder, "--sql", odd) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert asked(folder / "nosuch") == 1
    assert "no such folder" in capsys.readouterr().err


def test_a_number_that_json_does_not_have_is_null(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(folder, "--sql", "SELECT 9e999 AS big, -9e999 AS small, 1.5 AS fine", "--json") == 0
    assert lines(capsys.readouterr().out) == [{"big": None, "small": None, "fine": 1.5}]


def test_a_reader_that_leaves_ends_the_query_without_a_word(folder: Path) -> None:
    endless = "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"
    program = [sys.executable, "-m", "agent.cli.main", "results", "--folder", str(folder), "--sql", endless]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert json.loads(process.stdout.readline()) == {"x": 1}
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 1


def test_damage_is_told_and_the_rest_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = min((folder / "segments").glob("result-*-000000000002.db"))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE blocks SET crc = crc + 1")
    asked(folder)
    captured = capsys.readouterr()
    assert len(lines(captured.out)) == 4
    assert "1 records are in damaged blocks" in captured.err
    assert "edge-agent store verify" in captured.err


def test_an_empty_store_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(tmp_path) == 0
    captured = capsys.readouterr()
    assert (captured.out, "nothing found" in captured.err) == ("", True)


def test_a_table_is_aligned_cut_to_the_width_and_sends_no_control_characters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((40, 24)))
    monkeypatch.setenv("COLUMNS", "40")
    assert print_table(("name", "n"), [("a", 1), ("\x1b[2J" + "b" * 50, 22), (None, 0.25)]) == 3
    header, *body = capsys.readouterr().out.splitlines()
    assert header.startswith("name")
    assert all(len(line) <= 40 and line.isprintable() for line in (header, *body))
    capsys.readouterr()
    print_table(("name", "n"), [("a", 1), ("bb", 22)])
    assert capsys.readouterr().out.splitlines() == ["name   n", "a      1", "bb    22"]


@pytest.mark.parametrize("text", ["", "yesterday", "2h3", "-1d", "99999999999d", "2026-13-01"])
def test_a_time_that_is_none_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        asked(tmp_path, f"--since={text}")
    assert "is no moment in time. Write 2026-11-25T02:00 (UTC)" in capsys.readouterr().err


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["pipeline", "kind", "items", "frame", "infer_us", "model", "wall_ns", "captured_ns", "events", "x"]
)


LARGE = 2**64 - 1


@example({"items": [{"score": LARGE, "box": [0, 0, LARGE, 1]}], "events": [{"track": LARGE}]}, {})
@example({"frame": LARGE, "wall_ns": LARGE, "captured_ns": LARGE, "infer_us": LARGE}, {})
@given(st.dictionaries(KEYS, JSON), st.dictionaries(st.sampled_from(["boot", "synced"]), JSON))
def test_whatever_a_record_holds_becomes_a_row_that_sqlite_takes(
    record: dict[str, Any], clock: dict[str, Any]
) -> None:
    content = Content([record], {"p": record}, clock)
    row = rows.result_row(record, ("result", "e", 1), 0, content)
    found = [row, *rows.metric_rows(record, ("metric", "e", 1), content)]
    found += rows.event_rows(record, ("result", "e", 1), content)
    with closing(sqlite3.connect(":memory:")) as db:
        for one in found:
            db.execute(f"SELECT {', '.join('?' * len(one))}", tuple(one.values())).fetchone()


def test_a_query_is_answered_from_the_columns_that_it_names(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answers(sql: str) -> list[Any]:
        assert asked(folder, "--json", "--sql", sql) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    whole = answers("SELECT * FROM results ORDER BY seq, frame")
    for name in rows.RESULTS:
        sql = f'SELECT "{name.upper()}" AS it FROM results ORDER BY seq, frame'  # noqa: S608
        assert answers(sql) == [{"it": row[name]} for row in whole]
    assert answers("SELECT count(*) AS n FROM results") == [{"n": len(whole)}]
    assert answers("SELECT count(*) AS n FROM ledger")[0]["n"] > 0
