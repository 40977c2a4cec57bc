"""snapshot, record and replay: an incident becomes a regression test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from agent.cli import main as cli
from agent.config.tables import Deadlines
from agent.confinement import seccomp
from agent.errors import LaneCrashed
from agent.processes.child import Child
from agent.recordings.reading import Reader
from agent.taking.orders import Done, Orders
from agent.taking.take import take
from agent.workers.spec import LaneSpec
from tests import runtimes
from tests.simulators.operator import settle
from tests.simulators.running_agent import PROGRAM
from tests.simulators.taken import config, members, picture
from tests.simulators.tuf_fleet import TufFleet

ROOT = Path(__file__).resolve().parents[2]
SCENE = "synthetic:scene=shapes,width=320,height=240,fps=0,noise=0"
WITH = ("--runtime", runtimes.CHOSEN)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of six frames, with the results of the model "shapes"."""
    path = tmp_path_factory.mktemp("recorded") / "shapes.tar"
    words = ["record", SCENE, "--frames", "6", "--model", "shapes", *WITH, "--out", str(path)]
    assert cli.run(words) == 0
    return path


@pytest.fixture
def recording(shapes: Path, tmp_path: Path) -> Path:
    """A copy of it, for tests that change it."""
    path = tmp_path / "incident.tar"
    path.write_bytes(shapes.read_bytes())
    return path


def test_the_same_model_gives_the_recorded_results_to_the_bit(shapes: Path, run: Any) -> None:
    code, out, err = run("replay", shapes)
    assert (code, err) == (0, "")
    assert "6 of 6 frames as recorded (to the bit" in out
    results = json.loads(members(shapes)["results.json"])
    assert results["tolerance"] == 0.1  # of the bundle's golden answers


def test_another_model_is_told_by_the_first_frame_that_differs(recording: Path, run: Any) -> None:
    code, out, _ = run("replay", recording, "--model", ROOT / "models/shapes/first", "--tolerance", "0.001")
    first, expected, got, verdict = out.splitlines()
    assert code == 1
    assert first.startswith("frame 0: ")
    assert expected.startswith("  expected  ")
    assert got.startswith("  got       ")
    assert "of 6 frames as recorded (numbers may be off by 0.001: as it was asked for)" in verdict
    assert "6 of 6" not in verdict


def test_after_a_deliberate_change_the_new_results_are_those_that_count(recording: Path, run: Any) -> None:
    other = ROOT / "models/shapes/first"
    before = members(recording)
    assert run("replay", recording, "--model", other, "--tolerance", "0", "--update")[0] == 0
    assert run("replay", recording)[0] == 0
    after = members(recording)
    assert {n: d for n, d in after.items() if not n.startswith("results")} == {
        n: d for n, d in before.items() if not n.startswith("results")
    }
    assert json.loads(after["results.json"])["path"] == str(other)
    assert list(recording.parent.iterdir()) == [recording]


def test_a_result_that_was_recorded_otherwise_is_found_and_where(recording: Path, run: Any) -> None:
    whole = recording.read_bytes()
    label = b'"label":"circle"'
    at = whole.rindex(label)
    recording.write_bytes(whole[:at] + b'"label":"cirque"' + whole[at + len(label) :])
    code, out, _ = run("replay", recording, "--json")
    told = json.loads(out)
    assert (code, told["differ"], told["tolerance"]) == (1, 1, 0.0)
    [found] = told["differences"]
    assert "label is circle in place of cirque" in found["what"]
    assert found["expected"] != found["got"]


def test_windows_of_a_sensor_are_recorded_and_replayed(tmp_path: Path, run: Any) -> None:
    path = tmp_path / "pump.tar"
    source = "synthetic_sensor:speed=0,faults=0.9"
    code, out, err = run(
        "record", source, "--frames", 8, "--model", "vibration", *WITH, "--out", path, "--json"
    )
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["frames"], told["failed"], told["why"]) == (8, 0, "enough")
    assert "frames/0000007.npy" in members(path)
    assert run("replay", path)[0] == 0


def test_pictures_as_jpeg_are_smaller_and_their_results_are_of_what_was_written(
    shapes: Path, tmp_path: Path, run: Any
) -> None:
    path = tmp_path / "small.tar"
    words = ("--frames", 6, "--model", "shapes", *WITH, "--jpeg", 60, "--out", path)
    assert run("record", SCENE, *words)[0] == 0
    assert path.stat().st_size < shapes.stat().st_size / 2
    assert run("replay", path)[0] == 0


def test_a_frame_that_failed_is_recorded_as_one_and_fails_again(tmp_path: Path, run: Any) -> None:
    for name in ("a", "c"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((32, 32, 3), 90, np.uint8))
    (tmp_path / "b.png").write_bytes(b"no picture")
    path = tmp_path / "three.tar"
    words = ("--model", "glyphs", *WITH, "--frames", 9, "--out", path, "--json")
    code, out, _ = run("record", tmp_path, *words)
    told = json.loads(out)
    assert (code, told["frames"], told["failed"], told["why"]) == (0, 3, 1, "ended")
    kinds = [json.loads(line)["kind"] for line in members(path)["results.ndjson"].splitlines()]
    assert kinds == ["classification", "failed", "classification"]
    assert run("replay", path)[0] == 0


def test_a_pipelines_source_is_recorded_with_its_results_and_without_what_it_hides(
    tmp_path: Path, run: Any
) -> None:
    out = tmp_path / "door.tar"
    assert run("record", "door", "--config", config(tmp_path), "--frames", 3, "--out", out)[0] == 0
    found = members(out)
    head, results = (json.loads(found[name]) for name in ("recording.json", "results.json"))
    assert (head["pipeline"], head["hidden"], results["model"]) == ("door", 1, "glyphs@1.0.0")
    assert not any(picture(found[f"frames/000000{n}.png"])[:, :32].any() for n in range(3))
    assert run("replay", out, "--config", tmp_path / "agent.toml", "--pipeline", "door")[0] == 0
    assert run("replay", out)[0] == 0


def test_the_operators_model_is_the_one_whose_results_are_recorded(tmp_path: Path, run: Any) -> None:
    (tmp_path / "1.root.json").write_bytes(TufFleet().root)
    path = config(tmp_path)
    text = path.read_text().replace("store.path", '[models]\nroot = "1.root.json"\n[store]\npath')
    path.write_text(text.replace('model = "glyphs"', 'model = ""'))
    words = ("record", "door", "--config", path, "--frames", 2, "--out", tmp_path / "door.tar")
    code, _, err = run(*words)
    assert (code, "this pipeline has no model yet" in err) == (1, True)
    found = settle(tmp_path / "data", active=2)
    code, _, err = run(*words)
    assert (code, err) == (0, "")
    results = json.loads(members(tmp_path / "door.tar")["results.json"])
    assert (results["model"], results["bundle"]) == ("two@1", found["active"])
    assert run("replay", tmp_path / "door.tar", "--config", path, "--pipeline", "door")[0] == 0


def test_what_cannot_be_hidden_is_not_written(tmp_path: Path, run: Any) -> None:
    path = config(tmp_path)
    path.write_text(
        path.read_text().replace('"synthetic"\nfps = 0\nwidth = 64\nheight = 48', '"synthetic_sensor"')
    )
    out = tmp_path / "door.tar"
    words = ("--config", path, "--frames", 2, "--no-results", "--out", out, "--json")
    code, told, _ = run("record", "door", *words)
    assert (code, json.loads(told)["failed"]) == (1, 2)
    assert not [name for name in members(out) if not name.endswith(".json")]


def test_a_recording_is_bounded_and_what_fits_is_whole(tmp_path: Path, run: Any) -> None:
    out = tmp_path / "bounded.tar"
    code, told, _ = run("record", "synthetic:fps=0", "--seconds", 60, "--max-mb", 2, "--out", out, "--json")
    told = json.loads(told)
    assert (code, told["why"]) == (0, "size")
    assert told["bytes"] == out.stat().st_size <= 2 << 20
    assert len(members(out)) == 1 + 2 * told["frames"]


def test_what_a_live_source_gives_faster_than_it_can_be_written_is_counted(tmp_path: Path, run: Any) -> None:
    out = tmp_path / "fast.tar"
    source = "synthetic:width=1280,height=720,fps=1000,noise=0"
    code, told, _ = run("record", source, "--seconds", 0.5, "--out", out, "--json")
    told = json.loads(told)
    files = members(out).items()
    seqs = [
        json.loads(data)["seq"] for name, data in files if name.startswith("frames") and name.endswith("json")
    ]
    assert (code, told["live"], seqs) == (0, True, sorted(seqs))
    assert told["dropped"] > 0
    assert len(set(seqs)) == told["frames"] <= seqs[-1] + 1 <= told["frames"] + told["dropped"]


def test_a_recording_that_was_cut_short_is_replayed_up_to_there(recording: Path, run: Any) -> None:
    whole = recording.read_bytes()
    recording.write_bytes(whole[: whole.index(b"frames/0000004.json") + 600])
    code, _, err = run("replay", recording, "--model", "shapes")
    assert (code, "holds no results to compare with" in err) == (1, True)
    code, out, _ = run("replay", recording, "--model", "shapes", *WITH, "--update", "--json")
    told = json.loads(out)
    assert (code, told["frames"], told["remark"], told["updated"]) == (0, 4, "it is cut short", True)
    code, out, _ = run("replay", recording, "--json")
    assert (code, json.loads(out)["remark"]) == (0, "")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_what_was_recorded_before_it_was_ended_can_be_read(end: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "ended.tar"
    words = ["record", "synthetic:fps=50,width=64,height=48", "--seconds", "60", "--out", str(out)]
    with subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until = time.monotonic() + 60
        while time.monotonic() < until and (not out.exists() or out.stat().st_size < 200_000):
            time.sleep(0.02)
        process.send_signal(end)
        told, _ = process.communicate(timeout=60)
    with out.open("rb") as file:
        reader = Reader(file, str(out))
        while (taken := reader.take()) is not None:
            assert picture(reader.data(taken)).shape == (48, 64, 3)
    assert reader.frames >= 10
    if end is signal.SIGINT:
        assert (process.returncode, reader.remark) == (0, "")
        assert b"it was stopped" in told
    else:  # who writes may have seen it in time, and have ended the file
        assert reader.remark in {"", "it is cut short"}


def orders(source: str = "synthetic", **more: Any) -> Orders:
    lane = LaneSpec(pipeline="record", model="", source=source, source_options=more)
    return Orders(lane=lane, seconds=60, most_bytes=1 << 30)


@pytest.mark.parametrize(
    ("signalled", "why"),
    [(signal.SIGSTOP, "no answer for 0.5 s while it reads the source"), (signal.SIGKILL, "SIGKILL")],
)
def test_a_source_that_hangs_or_crashes_costs_its_process_and_what_was_taken_is_there(
    signalled: signal.Signals, why: str, tmp_path: Path
) -> None:
    children: list[Child] = []

    def spawn(*words: Any, **more: Any) -> Child:
        children.append(Child(*words, **more))
        return children[-1]

    out = tmp_path / "r.tar"

    def through() -> None:
        with out.open("wb") as file:
            for said in take(orders(fps=50), file.fileno(), Deadlines(capture_s=0.5), spawn=spawn):
                assert not isinstance(said, Done)
                if said.frames > 3:
                    status = Path(f"/proc/{children[0].pid}/status").read_text()
                    assert ("Seccomp:\t2\n" in status) == seccomp.available()
                    os.kill(children[0].pid, signalled)

    with pytest.raises(LaneCrashed, match=why):
        through()
    with out.open("rb") as file:
        reader = Reader(file, str(out))
        assert reader.take() is not None
    with pytest.raises(ProcessLookupError):
        os.kill(children[0].pid, 0)


def test_the_command_line_itself_loads_no_pictures(tmp_path: Path) -> None:
    code = """
import sys
from agent.cli import main
main.run(["record", "synthetic:fps=0", "--frames", "2", "--out", sys.argv[1]])
print({"numpy", "cv2"} & set(sys.modules))
"""
    words = [sys.executable, "-c", code, str(tmp_path / "r.tar")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
