"""snapshot, record and replay: an incident becomes a regression test."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from agent.child import Child
from agent.cli import main as cli
from agent.cli.wanted import wanted
from agent.errors import LaneCrashed, SourceLost
from agent.recordings.reading import Reader
from agent.tables import Deadlines
from agent.taking.orders import Done, Orders
from agent.taking.take import take
from agent.workers.spec import LaneSpec
from tests import runtimes
from tests.simulators.running_agent import PROGRAM, RunningAgent

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.types import Array

ROOT = Path(__file__).resolve().parents[2]
SCENE = "synthetic:scene=shapes,width=320,height=240,fps=0,noise=0"
WITH = ("--runtime", runtimes.CHOSEN)

Run = "Callable[..., tuple[int, str, str]]"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs edge-agent: give its exit code, and what it prints."""

    def ran(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.run([str(word) for word in words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return ran


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


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        files = ((one.name, archive.extractfile(one)) for one in archive)
        return {name: file.read() for name, file in files if file is not None}


def picture(data: bytes) -> Array:
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return found


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


def config(folder: Path, *, sources: bool = False) -> Path:
    """Write a configuration with a camera whose left half is private."""
    path = folder / "agent.toml"
    region = "points = [[0.0, 0.0], [0.5, 1.0]]"
    camera = 'kind = "synthetic"\nfps = 0\nwidth = 64\nheight = 48'
    runtime = f'backend = {{ kind = "tflite", runtime = "{runtimes.CHOSEN}" }}'
    door = f'[[pipelines]]\nname = "door"\nmodel = "glyphs"\n{runtime}\n'
    if sources:
        text = f'[[sources]]\nname = "cam"\n{camera}\n{door}source = "cam"\n[[pipelines.privacy]]\n{region}\n'
        text += '[[pipelines]]\nname = "yard"\nmodel = "glyphs"\nsource = "cam"\n'
    else:
        text = f"{door}[[pipelines.privacy]]\n{region}\n[pipelines.source]\n{camera}\n"
    path.write_text(f'store.path = "{folder}/data"\n{text}')
    return path


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
    else:
        assert reader.remark


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
                    os.kill(children[0].pid, signalled)

    with pytest.raises(LaneCrashed, match=why):
        through()
    with out.open("rb") as file:
        reader = Reader(file, str(out))
        assert reader.take() is not None
    with pytest.raises(ProcessLookupError):
        os.kill(children[0].pid, 0)


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


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (["snapshot", "nosuch"], 78, "there is no such kind of source"),
        (["snapshot", "camera:device=/dev/video77"], 1, "it is not there"),
        (["snapshot", "synthetic:widht=3"], 78, "widht"),
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
