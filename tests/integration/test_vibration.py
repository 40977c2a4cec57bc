"""A window of samples is a frame like any other: through the worker, the store, and the command line."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import numpy as np

from agent.sources.synthesis.vibration import Vibration
from tests.simulators.running_agent import PROGRAM, RunningAgent

GOLDEN = Path(__file__).parents[2] / "models/vibration/golden"
FRAMES, HOP, SEED = 200, 128, 3
SENSOR = f'source = {{ kind = "synthetic_sensor", seed = {SEED}, hop = {HOP}, speed = 0, frames = {FRAMES} }}'


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False)


def test_every_window_has_its_record_and_what_shakes_is_called_an_anomaly(tmp_path: Path) -> None:
    with RunningAgent(tmp_path, SENSOR, "", "--exit-when-ended", model="vibration") as agent:
        assert agent.process.wait(60) == 0, agent.log
    records, ledger = agent.stored()
    records = [record for record in records if record["kind"] != "ledger"]
    assert [record["frame"] for record in records] == list(range(FRAMES))
    assert {record["kind"] for record in records} == {"anomaly"}
    assert (ledger["captured"], ledger["inferred"], ledger["in_flight"]) == (FRAMES, FRAMES, 0)
    machine = Vibration(1600.0, SEED, 0.02, 0.25)
    said = np.array([record["items"][0]["index"] for record in records], bool)
    severity = np.array([machine.truth(at * HOP, 256).severity for at in range(FRAMES)])
    assert (severity > 0.6).sum() > 5
    assert said[severity > 0.6].mean() > 0.9
    assert said[severity == 0].mean() < 0.05


def test_a_sensor_that_keeps_time_is_live(tmp_path: Path) -> None:
    live = 'source = { kind = "synthetic_sensor", speed = 20 }'
    with RunningAgent(tmp_path, live, model="vibration") as agent:
        agent.until_inferred(20)
        assert agent.end() == 0
    _, ledger = agent.stored()
    settled = ledger["inferred"] + sum(ledger["dropped"].values())
    assert ledger["captured"] == settled >= 20


def test_check_infers_a_window_of_the_sensor_and_names_a_wrong_option(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    text = f'[store]\npath = "data"\n[[pipelines]]\nname = "pump"\nmodel = "vibration"\n{SENSOR}\n'
    config.write_text(text)
    found = command("check", "--config", str(config))
    assert found.returncode == 0, found.stderr
    assert "pipeline pump: vibration@" in found.stdout
    config.write_text(text.replace("speed = 0", "speed = -1"))
    found = command("check", "--config", str(config))
    assert found.returncode == 78
    assert "agent.toml:6: pipelines.0.source.speed: " in found.stderr


def test_a_window_of_another_length_is_a_failed_frame_that_says_why(tmp_path: Path) -> None:
    sensor = SENSOR.replace("hop", "window = 100, hop").replace(f"frames = {FRAMES}", "frames = 3")
    with RunningAgent(tmp_path, sensor, "", "--exit-when-ended", model="vibration") as agent:
        agent.process.wait(60)
    records, ledger = agent.stored()
    assert ledger["failed"] == {"input": 3}
    problems = [record["items"][0]["problem"] for record in records if record["kind"] == "failed"]
    assert len(problems) == 3
    assert all("it wants int8 or float [1, 256, 3], and got float32 [100, 3]" in one for one in problems)


def test_infer_says_in_plain_words_whether_it_is_an_anomaly() -> None:
    done = command("infer", "vibration", str(GOLDEN / "1.npy"))
    [item] = json.loads(done.stdout)["items"]
    assert item.keys() == {"label", "index", "score", "error", "threshold"}
    terminal, far = pty.openpty()
    words = [*PROGRAM, "infer", "vibration", str(GOLDEN / "0.npy"), str(GOLDEN / "1.npy")]
    with subprocess.Popen(words, stdout=far, stderr=subprocess.PIPE) as process:
        os.close(far)
        shown = b""
        while shown.count(b"\n") < 2:
            shown += os.read(terminal, 4096)
    os.close(terminal)
    assert process.returncode == 0
    normal, shaking = shown.decode().splitlines()
    assert "0.npy: normal 0." in normal
    times = round(item["error"] / item["threshold"], 1)
    assert f"({times} x threshold)" in shaking
    assert "1.npy: anomaly " in shaking


def test_infer_takes_a_threshold_and_says_when_there_is_none(tmp_path: Path) -> None:
    window = str(GOLDEN / "0.npy")
    done = command("infer", "vibration", window, "--threshold", "1e-5")
    [item] = json.loads(done.stdout)["items"]
    assert (item["label"], item["threshold"]) == ("anomaly", 1e-5)
    bare = str(GOLDEN.parent / "vibration.tflite")
    done = command("infer", bare, window, "--task", "anomaly")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        (
            "edge-agent: read decoder.threshold: this key is missing. Give threshold: the error from which "
            "on a frame is an anomaly; `edge-agent calibrate` finds it"
        )
    ]


def test_draw_makes_a_picture_of_a_window(tmp_path: Path) -> None:
    done = command("infer", "vibration", str(GOLDEN / "0.npy"), "--draw", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["00000-0.png"]


def test_what_is_installed_infers_with_it() -> None:
    """The program that users run; ``doctor`` looks at every golden answer of every bundled model."""
    done = command("doctor", "--json")
    verdicts = {one["check"]: one for one in json.loads(done.stdout)["checks"]}
    assert verdicts["model vibration"]["verdict"] == "ok"
    assert verdicts["model vibration"]["detail"].startswith("7 golden answers right")
