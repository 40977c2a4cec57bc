"""A threshold from normal sounds, for the autoencoder of MLPerf Tiny: features, model, command line."""

from __future__ import annotations

import json
import subprocess
import wave
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent import resources
from tests.simulators.running_agent import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from agent.types import Array

RATE, SECONDS = 16000, 6
# Five frames of 128 bands, as the model's makers compute them: librosa's melspectrogram, in dB.
FEATURES = "log_mel:rate=16000,frame=1024,hop=512,bands=128,mel=slaney,norm=area,log=decibel,low_hz=0"
WINDOWS = "window=3072,hop=512"


def machine(seed: int) -> Array:
    """Make the sound of a machine that runs steadily: noise whose power falls by 1 / f."""
    count = RATE * SECONDS
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=count))
    sound: Array = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20)))
    sound *= 0.01 / sound.std()
    return sound


def written(path: Path, sound: Array) -> str:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        file.writeframes(np.round(sound * 32767).astype("<i2").tobytes())
    return f"wav:path={path},{WINDOWS}"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *words], capture_output=True, text=True, timeout=120, check=False)


def scores(model: str, source: str, threshold: float) -> list[float]:
    words = ("--task", "anomaly", "--threshold", str(threshold), "--features", FEATURES, "--source", source)
    done = run("infer", model, *words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["items"][0]["score"] for line in done.stdout.splitlines()]


@pytest.mark.shared
def test_what_sounds_otherwise_than_the_calibration_scores_above_its_threshold(
    shared: Path, tmp_path: Path
) -> None:
    model = str(shared / "models/ad01_int8.tflite")
    normal = written(tmp_path / "normal.wav", machine(1))
    done = run("calibrate", model, "--features", FEATURES, "--source", normal, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["count"] == (RATE * SECONDS - 3072) // 512 + 1
    assert found["p50"] < found["p99"] < found["threshold"] <= found["max"]
    assert found["above"] <= 0.02 * found["count"]

    another = np.array(scores(model, written(tmp_path / "more.wav", machine(2)), found["threshold"]))
    assert (another < 0.5).mean() > 0.9
    at = np.arange(RATE * SECONDS) / RATE
    whistle = written(tmp_path / "whistle.wav", machine(3) + 0.1 * np.sin(2 * np.pi * 3000 * at))
    assert min(scores(model, whistle, found["threshold"])) > 0.5
    speech = f"wav:path={shared}/models/media/yes_1000ms.wav,{WINDOWS}"
    assert min(scores(model, speech, found["threshold"])) > 0.5


def test_it_prints_what_can_be_pasted_and_says_when_there_were_few(tmp_path: Path) -> None:
    golden = resources.bundled_models()["vibration"] / "golden"
    done = run("calibrate", "vibration", str(golden), "--quantile", "1")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["inputs", "7"]
    assert [line.split()[0] for line in lines[1:7]] == ["mean", "std", "p50", "p95", "p99", "max"]
    assert "so few inputs" in lines[7]
    assert lines[-1].startswith("decoder = { threshold = ")
    assert lines[-1].endswith(" }  # of these inputs, 0 reach it")


def test_an_input_that_fails_is_named_and_counted(tmp_path: Path) -> None:
    golden = resources.bundled_models()["vibration"] / "golden"
    bad = tmp_path / "bad.npy"
    np.save(bad, np.zeros((3, 3), np.float32))
    done = run("calibrate", "vibration", str(golden / "0.npy"), str(bad), "--sigma", "3")
    assert done.returncode == 1
    assert f"{bad}: prepare input" in done.stderr
    assert done.stdout.splitlines()[0] == "inputs  1, and 1 that failed"
    done = run("calibrate", "vibration", str(bad))
    assert done.returncode == 1
    assert "no input was inferred" in done.stderr


def test_a_model_that_is_none_for_anomalies_is_refused_in_one_line() -> None:
    golden = resources.bundled_models()["glyphs"] / "golden"
    done = run("calibrate", "glyphs", str(golden))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "the task wants one output: of the input's shape (a reconstruction)" in done.stderr


@pytest.mark.parametrize("words", [("--quantile", "0.4"), ("--quantile", "0.9", "--sigma", "3")])
def test_shares_and_sigmas_have_bounds_and_exclude_each_other(words: tuple[str, ...]) -> None:
    assert run("calibrate", "vibration", "x.npy", *words).returncode == 2
