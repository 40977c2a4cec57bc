"""A generated sequence goes the way of any result: through the command line, a pipeline, a proof."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent import foreground
from agent.config.tables import Deadlines
from agent.fleet.packing.pack import Options, pack
from agent.workers.spec import LaneSpec
from models.speller import END, PLACES, THE, WORDS, speller
from tests.simulators.running_agent import PROGRAM, RunningAgent

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model, its words, and two prompts."""
    (tmp_path / "speller.tflite").write_bytes(speller())
    (tmp_path / "words.txt").write_text("\n".join(WORDS))
    for number, words in enumerate(((THE,), (THE, 1, 2))):
        np.save(tmp_path / f"{number}.npy", np.array([*words, *[-1] * (PLACES - len(words))], np.int32))
    return tmp_path


def test_infer_says_what_the_model_goes_on_with(folder: Path) -> None:
    command = [
        *PROGRAM,
        "infer",
        str(folder / "speller.tflite"),
        str(folder / "0.npy"),
        str(folder / "1.npy"),
    ]
    command += ["--task", "sequence", "--labels", str(folder / "words.txt"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    first, second = (json.loads(line)["items"][0] for line in done.stdout.splitlines())
    assert first.keys() == {"text", "tokens", "score", "seed"}
    assert first["text"].startswith("pump runs hot now . the pump")
    assert second["text"].startswith("hot now . the")
    assert len(first["tokens"]) == 32
    assert first["seed"] != second["seed"]


def run(folder: Path, name: str, decoder: str) -> list[dict[str, Any]]:
    lines = (
        f'source = {{ kind = "images", paths = ["{folder}/*.npy"] }}\n'
        f'task = "sequence"\nlabels = "{folder}/words.txt"\ndecoder = {decoder}'
    )
    (folder / name).mkdir()
    with RunningAgent(
        folder / name, lines, "", "--exit-when-ended", model=str(folder / "speller.tflite")
    ) as agent:
        assert agent.process.wait(60) == 0, agent.log
    records, ledger = agent.stored()
    assert ledger["inferred"] == 2
    return [record["items"][0] for record in records if record["kind"] == "sequence"]


def test_a_pipeline_samples_the_same_sequence_at_each_run_and_records_its_seed(folder: Path) -> None:
    decoder = f"{{ temperature = 1.0, seed = 11, max_tokens = 40, stop = [{END}] }}"
    first = run(folder, "one", decoder)
    assert first == run(folder, "two", decoder)
    other = run(folder, "three", decoder.replace("11", "12"))
    assert [item["seed"] for item in other] != [item["seed"] for item in first]
    assert all(END not in item["tokens"] for item in first)


def test_a_bundle_meets_its_golden_sequence_whatever_the_pipeline_asks_for(folder: Path) -> None:
    recipe = folder / "m.toml"
    recipe.write_text(
        'name = "speller"\nversion = "1"\ntask = "sequence"\nlicense = "Apache-2.0"\nlabels = "words.txt"\n'
        f'[post]\nkind = "sequence"\nmax_tokens = 6\nstop = [{END}]\ntemperature = 0.5\nseed = 4\n'
        '[budget]\nmeasure = false\n[[golden]]\ninput = "0.npy"\n[[golden]]\ninput = "1.npy"\n'
    )
    packed = pack(Options(folder / "speller.tflite", recipe, out=folder / "out", allow_float=True))
    written = json.loads((packed.folder / "manifest.json").read_text())
    assert written["io"]["outputs"][0]["shape"] == [1, PLACES, len(WORDS)]  # the model's own
    assert written["golden"][0]["expect"][0].keys() == {"text", "tokens"}
    source = {"device": "/dev/none"}
    for decoder in ({}, {"max_tokens": 2, "seed": 5}):
        spec = LaneSpec(
            pipeline="voice",
            model=str(packed.folder),
            source="camera",
            source_options=source,
            decoder=decoder,
        )
        assert foreground.prove(spec, Deadlines()).goldens == 2
