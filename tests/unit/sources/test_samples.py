"""Recorded samples: CSV and NDJSON."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import InputRejected, SourceEnded
from agent.sources import samples
from agent.sources.sampling import rows

if TYPE_CHECKING:
    from pathlib import Path

Shown = list[list[Any] | str]


def play(path: Path, start: int = 0, **options: Any) -> Shown:
    """Give the first channel of each window, or what was wrong with it, then the farewell."""
    told = samples.Options(**{"path": str(path), "rate": 10, "window": 3, **options})
    shown: Shown = []
    with closing(samples.build(told, start=start)) as source:
        while True:
            try:
                frame = source.read(10)
            except InputRejected as error:
                shown.append(str(error))
            except SourceEnded as end:
                return [*shown, str(end)]
            else:
                assert frame is not None
                assert frame.origin == str(path)
                shown.append(frame.data[:, 0].round(5).tolist())


def csv(folder: Path, text: str) -> Path:
    path = folder / "log.csv"
    path.write_bytes(text.encode())
    return path


def test_rows_without_a_time_are_a_steady_stream(tmp_path: Path) -> None:
    path = csv(tmp_path, "name,x\r\n" + "".join(f"pump,{row}\r\n" for row in range(7)))
    assert play(path) == [[0, 1, 2], [3, 4, 5], f"{path}: 2 windows"]


@pytest.mark.parametrize(
    ("unit", "times"),
    [
        ("s", ["1700000000.0", "1700000000.1", "1700000000.2"]),
        ("ms", ["1700000000000", "1700000000100", "1.7000000002e12"]),
        ("us", ["-100000", "0", "100000"]),
        ("ns", ["0", "100000000", "200000000"]),
        ("iso", ["2026-01-31T23:59:59.9Z", "2026-02-01T00:00:00", "2026-02-01T01:00:00.1+01:00"]),
    ],
)
def test_times_are_read_in_each_unit(tmp_path: Path, unit: str, times: list[str]) -> None:
    rows = "".join(f"{at},{number}\n" for number, at in enumerate(times))
    shown = play(csv(tmp_path, "t,x\n" + rows), time="t", time_unit=unit)
    assert shown[0] == [0, 1, 2]


def test_other_times_are_interpolated(tmp_path: Path) -> None:
    path = csv(tmp_path, "t;x;y\n0;0;1\n0.15;15;1\n0.3;30;1\n")
    assert play(path, time="t", delimiter="semicolon", channels=["x"], window=4)[0] == [0, 10, 20, 30]


def test_a_line_that_cannot_be_read_is_one_failed_window_and_the_rest_is_given(tmp_path: Path) -> None:
    rows = [*range(4), "oops", "worse", *range(6, 13)]
    path = csv(tmp_path, "x\n" + "".join(f"{row}\n" for row in rows))
    first, second, *rest = play(path)
    assert first == [0, 1, 2]
    assert "window 1: line 6: x is no number: 'oops'" in second
    assert "max_gap_s" in second
    assert rest == [[6, 7, 8], [9, 10, 11], f"{path}: 4 windows"]
    assert play(path, start=2) == rest


def test_a_gap_is_a_failed_window(tmp_path: Path) -> None:
    path = csv(tmp_path, "t,x\n" + "".join(f"{at},{at}\n" for at in (0, 0.1, 5, 5.1, 5.2)))
    first, second, _ = play(path, time="t")
    assert "window 0: no sample for 4.9 s" in first
    assert second == pytest.approx([5, 5.1, 5.2])


@pytest.mark.parametrize("at", ["1e12", "-1e12", "1e30", "nan", "Infinity", "soon", ""])
def test_a_time_beyond_all_clocks_is_a_line_that_cannot_be_read(tmp_path: Path, at: str) -> None:
    first, _ = play(csv(tmp_path, f"t,x\n0,0\n{at},1\n"), time="t")
    assert "window 0: line 3: t is " in first


def test_lines_of_json_are_read_by_their_keys(tmp_path: Path) -> None:
    path = tmp_path / "log.ndjson"
    rows: list[dict[str, Any]] = [{"t": n / 10, "unit": "g", "ok": True, "y": n, "x": -n} for n in range(6)]
    rows[4] = {"t": 0.4, "y": [1]}
    path.write_text("\n".join(json.dumps(row) for row in rows))
    first, second, _ = play(path, time="t")
    assert first == [0, 1, 2]
    assert "line 5: y is no number" in second
    assert play(path, time="t", channels=["x"])[0] == [0, -1, -2]


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        ("x\n", {}, "its beginning cannot be read"),
        ("x,x\n1,2\n", {}, "no row of different names"),
        ("x,y\n1\n", {}, "it has 1 values, and the header 2"),
        ("x\nred\n", {}, "no column holds a number"),
        ("x\n1\n", {"time": "when"}, "it has no column when. It has: x"),
        ("x\n1\n", {"channels": ["y"]}, "it has no column y"),
        ("x\n1\n", {"mean": [1, 2]}, "mean has 2 numbers"),
        ("x\n1\n", {"format": "ndjson"}, "its beginning cannot be read"),
        ("[1]\n", {"format": "ndjson"}, "it is no JSON object"),
        ("[" * 60_000, {"format": "ndjson"}, "its beginning cannot be read"),
        ("", {}, "the file is empty"),
    ],
)
def test_what_is_no_such_recording_is_refused(
    tmp_path: Path, text: str, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputRejected, match=told):
        play(csv(tmp_path, text), **options)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRejected, match="no such file"):
        play(tmp_path / "none.csv")


def test_a_start_far_in_keeps_the_time_out(tmp_path: Path) -> None:
    path = csv(tmp_path, "x\n" + "".join(f"{row}\n" for row in range(3000)))
    options = samples.Options(path=str(path), rate=10, window=1)
    with closing(samples.build(options, start=2990)) as source:
        waited = 0
        while (frame := source.read(0)) is None:
            waited += 1
        assert waited > 100
        assert (frame.seq, frame.data.tolist()) == (2990, [[2990]])


ODD = st.one_of(
    st.sampled_from(["1", "-2.5", "nan", "inf", "1e999", "1e-999", "", '"', "x", "9" * 30, "1_0", "\0", "é"]),
    st.text(max_size=20),
)


@given(st.lists(st.lists(ODD, min_size=1, max_size=3), max_size=30), st.sampled_from(["s", "ns", "iso"]))
def test_no_line_can_do_more_than_fail(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], unit: str
) -> None:
    text = "t,x\n0,1\n" + "\n".join(",".join(row) for row in rows)
    path = tmp_path_factory.mktemp("odd") / "log.csv"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    shown = play(path, time="t", time_unit=unit, channels=["x"])
    assert str(shown[-1]).endswith("windows")


@given(st.binary(max_size=200))
def test_no_bytes_can_do_more_than_fail(data: bytes) -> None:
    for parse in (rows.json_parser, lambda line: rows.csv_parser(line, ",")(line)):
        try:
            record = parse(data)
        except ValueError:
            continue
        assert isinstance(record, dict)
