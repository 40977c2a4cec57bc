"""edge-agent snapshot, and how it and record refuse: in one line, with nothing left behind."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from agent.cli.recording.wanted import wanted
from agent.errors import SourceLost
from agent.recordings.reading import Reader
from agent.sources import synthetic
from tests.simulators.running_agent import PROGRAM, RunningAgent
from tests.simulators.taken import config, members, picture


@pytest.mark.parametrize(("named", "source"), [(False, "door"), (True, "door"), (True, "cam")])
def test_what_a_pipeline_hides_never_reaches_a_snapshot(
    named: bool, source: str, tmp_path: Path, run: Any
) -> None:
    out = tmp_path / "shot.png"
    code, _, err = run("snapshot", source, "--config", config(tmp_path, sources=named), "--out", out)
    assert (code, err) == (0, "")
    seen = picture(out.read_bytes())
    assert seen.shape == (48, 64, 3)
    assert not seen[:, :32].any()
    assert seen[:, 33:].any()
    assert out.stat().st_mode & 0o777 == 0o600


def test_a_name_that_the_configuration_does_not_have_is_told_with_those_that_it_has(
    tmp_path: Path, run: Any
) -> None:
    code, _, err = run("snapshot", "dor", "--config", config(tmp_path, sources=True))
    assert code == 78
    assert (
        "no pipeline or source of that name, and no kind is called so. Use one of: door, yard, cam; " in err
    )


def test_a_picture_is_written_pixel_by_pixel_as_its_source_gave_it(tmp_path: Path, run: Any) -> None:
    words = ("synthetic:fps=0,width=640,height=480", "--count", 6, "--out", tmp_path / "shot.png")
    assert run("snapshot", *words)[0] == 0
    source = synthetic.build(synthetic.Options(fps=0), start=0)
    for number in range(1, 7):
        frame = source.read(0)
        assert frame is not None
        np.testing.assert_array_equal(picture((tmp_path / f"shot-{number:04}.png").read_bytes()), frame.data)


def test_a_window_is_written_as_a_table_that_anybody_reads(tmp_path: Path, run: Any) -> None:
    out = tmp_path / "window.csv"
    words = ("synthetic_sensor:speed=0", "--count", 2, "--skip", 1, "--out", out, "--json")
    code, told, _ = run("snapshot", *words)
    files = json.loads(told)["files"]
    assert code == 0
    assert [(one["file"], one["seq"]) for one in files] == [
        (str(tmp_path / "window-0001.csv"), 1),
        (str(tmp_path / "window-0002.csv"), 2),
    ]
    table = np.loadtxt(io.StringIO(Path(files[0]["file"]).read_text()), delimiter=",")
    assert table.shape == (256, 3)


def test_a_frame_that_fails_is_passed_over_for_the_next_one_that_does_not(tmp_path: Path, run: Any) -> None:
    folder = tmp_path / "shots"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(b"no picture")
    for number in (3, 4):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((8, 8, 3), 77, np.uint8))
    code, told, _ = run("snapshot", folder, "--count", 2, "--out", tmp_path / "shot.png", "--json")
    told = json.loads(told)
    assert (code, told["failed"], [one["seq"] for one in told["files"]]) == (0, 3, [3, 4])
    assert picture((tmp_path / "shot-0001.png").read_bytes()).max() == 77
    (folder / "4.png").write_bytes(b"neither")
    (folder / "3.png").write_bytes(b"neither")
    code, _, err = run("snapshot", folder, "--out", tmp_path / "none.png")
    assert (code, "0 of 1 frames: " in err, "no picture" in err) == (1, True, True)


def test_the_agent_that_has_the_source_is_named(tmp_path: Path) -> None:
    lost = SourceLost("open camera", "/dev/video0", "another program uses it", "Stop it")
    with RunningAgent(tmp_path) as agent:
        agent.until_inferred()
        mine = wanted("door", agent.config)
        assert "The agent runs, and its pipeline door may have it" in str(mine.explained(lost))
        other = wanted("camera:device=/dev/video0", agent.config)
        assert "one of its pipelines may have it" in str(other.explained(lost))
        away = SourceLost("open camera", "/dev/video0", "it is not there", "Plug it in")
        assert other.explained(away) is away
    assert mine.explained(lost) is lost


def test_what_is_to_be_replaced_is_kept_where_the_source_is_away(tmp_path: Path, run: Any) -> None:
    out = tmp_path / "r.tar"
    assert run("record", "synthetic:fps=0", "--frames", 9, "--out", out)[0] == 0
    before = out.read_bytes()
    assert run("record", "camera:device=/dev/video77", "--out", out, "--force")[0] == 1
    assert out.read_bytes() == before
    (tmp_path / "mine.txt").write_text("no recording")
    assert run("record", "camera:device=/dev/video77", "--out", tmp_path / "mine.txt", "--force")[0] == 1
    assert (tmp_path / "mine.txt").read_text() == "no recording"
    assert run("record", "synthetic:fps=0,width=64,height=48", "--frames", 2, "--out", out, "--force")[0] == 0
    assert len(members(out)) == 5
    assert out.stat().st_size < len(before)


def test_a_disk_that_is_full_ends_a_recording_and_what_it_holds_can_be_read(tmp_path: Path) -> None:
    out = tmp_path / "r.tar"
    words = [*PROGRAM, "record", "synthetic:fps=0", "--seconds", "60", "--out", str(out)]
    limited = ["sh", "-c", 'ulimit -f 4000 && exec "$@"', "sh", *words]  # blocks of 512 or 1024 bytes
    done = subprocess.run(limited, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "Make room; what was recorded so far can be read" in done.stderr
    assert done.stderr.count("\n") == 1
    with out.open("rb") as file:
        reader = Reader(file, str(out))
        while (taken := reader.take()) is not None:
            reader.data(taken)
    assert reader.frames >= 2
    assert reader.remark == "it is cut short"


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (["snapshot", "nosuch"], 78, "there is no such kind of source"),
        (["snapshot", "camera:device=/dev/video77"], 1, "it is not there"),
        (["snapshot", "synthetic:widht=3"], 78, "source.widht: there is no such key. The keys are blur, fps"),
        (["snapshot", "synthetic:width=3"], 78, "or equal to 16. See docs/configuration.md"),
        (["snapshot", "{}/nosuch.mp4"], 1, "nosuch.mp4"),
        (["snapshot", "nosuch.png"], 1, "no file is there"),
        (["snapshot", "http://127.0.0.1:1/x"], 1, "http_snapshot:url="),
        (["snapshot", "synthetic", "--out", "{}/a.txt"], 1, "its ending says no format"),
        (["snapshot", "synthetic", "--out", "{}/a.csv"], 1, "gives pictures, which .csv does not hold"),
        (["snapshot", "synthetic_sensor", "--out", "{}/a.png"], 1, "gives numbers, which .png does not hold"),
        (["snapshot", "synthetic", "--out", "{}/none/a.png"], 1, "no such file or directory"),
        (["snapshot", "{}", "--out", "{}/a.png"], 1, "no file is there"),
        (["snapshot", "synthetic:frames=1,fps=0", "--count", "2", "--out", "{}/a.png"], 1, "1 of 2 frames"),
        (["record", "synthetic", "--frames", "1", "--out", "{}/here.tar"], 1, "it is there already"),
        (["record", "synthetic", "--frames", "1", "--model", "x", "--out", "{}/b.tar"], 1, "no such file"),
        (["record", "camera:device=/dev/video77", "--out", "{}/b.tar"], 1, "it is not there"),
        (["record", "door", "--config", "{}/none.toml", "--out", "{}/b.tar"], 78, "No such file"),
        (["replay", "{}/none.tar"], 1, "there is no such file"),
        (["replay", "{}/here.tar"], 1, "no recording"),
        (["replay", "{}"], 1, "it is not a regular file"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing_behind(
    words: list[str], code: int, problem: str, tmp_path: Path, run: Any
) -> None:
    (tmp_path / "here.tar").write_bytes(b"mine")
    found = run(*(word.format(tmp_path) for word in words))
    assert found[0] == code
    assert problem in found[2]
    assert found[2].count("\n") == 1
    left = {path.name for path in tmp_path.iterdir()} - {"here.tar"}
    assert left == ({"a-0001.png"} if "2" in words else set())
