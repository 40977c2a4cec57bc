"""Keyword spotters on real sounds: from a WAV file through source, features and model, in whole pipelines."""

from __future__ import annotations

import json
import subprocess
import wave
from typing import TYPE_CHECKING

import pytest

from agent.fleet.packing.pack import Options, pack
from tests.simulators.running_agent import PROGRAM, RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.shared

LABELS = ("silence", "unknown", "yes", "no")
# The noise is "silence" for micro_speech, as its makers' micro_speech_test.cc has it, too: with our features
# and with those of audio_preprocessor_int8.tflite, which are the same bytes (features/test_speech.py).
SAID = {"yes": "yes", "no": "no", "noise": "silence", "silence": "silence"}
MLPERF = (
    "mfcc:rate=16000,frame=480,hop=320,count=10,dct=htk,power=1,offset=1e-6,low_hz=20,high_hz=4000,peak=true"
)
MLPERF_LABELS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown")


@pytest.fixture
def sounds(shared: Path, tmp_path: Path) -> Path:
    """The four sounds, a second each, in one file."""
    path = tmp_path / "sounds.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", "not compressed"))
        for name in SAID:
            with wave.open(str(shared / f"models/media/{name}_1000ms.wav")) as one:
                file.writeframes(one.readframes(16000))
    return path


def labels(folder: Path, names: tuple[str, ...] = LABELS) -> Path:
    path = folder / "labels.txt"
    path.write_text("".join(f"{name}\n" for name in names))
    return path


def infer(*words: str) -> list[dict[str, object]]:
    command = [*PROGRAM, "infer", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["items"][0] for line in done.stdout.splitlines()]


def test_infer_hears_what_was_said(shared: Path, sounds: Path, tmp_path: Path) -> None:
    model = str(shared / "models/micro_speech_quantized.tflite")
    words = ("--task", "classification", "--labels", str(labels(tmp_path)), "--features", "micro_speech")
    found = infer(model, *words, "--source", f"wav:path={sounds},window=16000")
    assert [item["label"] for item in found] == list(SAID.values())
    # The very scores that tflite-micro gives with the public preprocessor as a first stage.
    assert [item["score"] for item in found] == [0.996094, 0.945312, 0.96875, 0.335938]


def test_a_pipeline_is_told_of_the_features_by_its_configuration(
    shared: Path, sounds: Path, tmp_path: Path
) -> None:
    model = str(shared / "models/micro_speech_quantized.tflite")
    lines = (
        f'source = {{ kind = "wav", path = "{sounds}", window = 16000, hop = 8000 }}\n'
        f'task = "classification"\nlabels = "{labels(tmp_path)}"\n'
        'pre = { features = { kind = "micro_speech" } }'
    )
    with RunningAgent(tmp_path, lines, "", "--exit-when-ended", model=model) as agent:
        assert agent.process.wait(60) == 0, agent.log
    records, ledger = agent.stored()
    said = [record["items"][0]["label"] for record in records if record["kind"] == "classification"]
    assert ledger["inferred"] == len(said) == 7
    assert said[::2] == list(SAID.values())


def test_a_bundle_brings_its_features_and_its_golden_sounds(
    shared: Path, sounds: Path, tmp_path: Path
) -> None:
    labels(tmp_path)
    golden = "".join(
        f'[[golden]]\ninput = "{shared}/models/media/{name}_1000ms.wav"\nexpect = [{{ label = "{said}" }}]\n'
        for name, said in SAID.items()
        if name in {"yes", "no"}
    )
    recipe = tmp_path / "m.toml"
    recipe.write_text(
        'name = "keywords"\nversion = "1"\ntask = "classification"\nlicense = "Apache-2.0"\n'
        'labels = "labels.txt"\n[pre.features]\nkind = "micro_speech"\n[budget]\nmeasure = false\n' + golden
    )
    packed = pack(Options(shared / "models/micro_speech_quantized.tflite", recipe, out=tmp_path / "out"))
    written = json.loads((packed.folder / "manifest.json").read_text())
    assert written["pre"] == {"features": {"kind": "micro_speech"}}
    found = infer(str(packed.folder), "--source", f"wav:path={sounds},window=16000")
    assert [item["label"] for item in found] == list(SAID.values())


def test_another_spotter_takes_mfcc_as_it_was_trained_with(
    shared: Path, sounds: Path, tmp_path: Path
) -> None:
    model = str(shared / "models/kws_ref_model.tflite")
    words = ("--task", "classification", "--labels", str(labels(tmp_path, MLPERF_LABELS)))
    found = infer(model, *words, "--features", MLPERF, "--source", f"wav:path={sounds},window=16000")
    said = dict(zip(SAID, (item["label"] for item in found), strict=True))
    del said["no"]  # which it takes for "go"
    assert said == {"yes": "yes", "noise": "unknown", "silence": "silence"}


def test_a_window_of_another_length_is_a_failed_frame_that_says_both_shapes(
    shared: Path, sounds: Path, tmp_path: Path
) -> None:
    command = [*PROGRAM, "infer", str(shared / "models/micro_speech_quantized.tflite")]
    command += ["--task", "classification", "--labels", str(labels(tmp_path)), "--features", "micro_speech"]
    command += ["--source", f"wav:path={sounds},window=8000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    problems = [json.loads(line)["error"] for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert len(problems) == 8
    wanted = "micro_speech of a window [8000, 1] gives [24, 40], and the input wants int8 [1, 1960]. "
    assert all(one.endswith(wanted + "Set the source's window to 15840") for one in problems)


def test_check_warns_of_windows_that_do_not_fit(shared: Path, sounds: Path, tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(
        f'[store]\npath = "data"\n[[pipelines]]\nname = "ear"\ntask = "classification"\n'
        f'labels = "{labels(tmp_path)}"\nmodel = "{shared}/models/micro_speech_quantized.tflite"\n'
        f'source = {{ kind = "wav", path = "{sounds}", window = 8000 }}\n'
        'pre = { features = { kind = "micro_speech" } }\n'
    )
    command = [*PROGRAM, "check", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING: its frame failed: prepare input" in done.stdout
    assert "Set the source's window to 15840" in done.stdout


def test_check_names_the_line_of_features_that_are_none(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(
        '[[pipelines]]\nname = "ear"\nmodel = "glyphs"\nsource = { kind = "synthetic" }\n'
        'pre = { features = { kind = "log_mel", rate = 16000, frame = 480, hop = 0 } }\n'
    )
    command = [*PROGRAM, "check", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78
    assert f"{config}:5: pipelines.0.pre: features.log_mel.hop: " in done.stderr
