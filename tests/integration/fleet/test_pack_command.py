"""edgectl pack as a program: what it prints, how it ends, and what the model's process cannot reach."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from agent import resources
from agent.bundles.load import load

if TYPE_CHECKING:
    from pathlib import Path

GLYPHS = resources.bundled_models()["glyphs"]
RECIPE = f"""\
name = "gate"
version = "1.0.0"
license = "Apache-2.0"
task = "classification"
labels = "{GLYPHS}/labels.txt"
[[golden]]
input = "{GLYPHS}/golden/0.npy"
"""
LOOK = """
import sys
from agent.fleet.packing import trial, words

def say(message):
    for path in sys.argv[2:]:
        try:
            open(path, "rb").read()
        except OSError as error:
            print(type(message).__name__, error.strerror)
        else:
            print(type(message).__name__, "read")

trial.confined(words.TrialAsk(model=sys.argv[1], task="classification"), say)
"""


def edgectl(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent.fleet.main", "pack", str(GLYPHS / "glyphs.tflite"), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_bundle_is_told_as_json_and_as_a_table(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(RECIPE)
    done = edgectl(tmp_path, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["folder"], told["golden"], told["quantized"]) == ("gate-1.0.0", 1, True)
    assert load(tmp_path / "gate-1.0.0").bundle == told["digest"]
    assert told["size"] == sum(one["size"] for one in told["files"])
    assert told["measured"]["runs"] > 0
    done = edgectl(tmp_path, "--out", "again")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("packed again: gate@1.0.0, classification, Apache-2.0\n")
    assert done.stdout.endswith("\nPublish it with:  edgectl publish again\n")


def test_a_refusal_is_one_line_and_its_code_says_who_must_act(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(RECIPE.replace("classification", "detection"))
    done = edgectl(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("edgectl: decode as detection: the task wants ")
    assert len(done.stderr.splitlines()) == 1
    (tmp_path / "m.toml").write_text(RECIPE + "tolerance = 1\n")
    done = edgectl(tmp_path)
    assert done.returncode == 78
    assert done.stderr.startswith("edgectl: read m.toml:8: golden.0.tolerance: there is no such key. See ")


@pytest.mark.landlock
def test_a_model_that_takes_over_its_trial_finds_no_key_of_the_operator(tmp_path: Path) -> None:
    (tmp_path / "online.key").write_text("secret")
    model = GLYPHS / "glyphs.tflite"
    command = [sys.executable, "-c", LOOK, str(model), str(model.parent / "glyphs.tflite")]
    done = subprocess.run(
        [*command, str(tmp_path / "online.key")], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert lines
    assert {line.split()[0] for line in lines} == {"Contract"}
    assert lines[1] == "Contract Permission denied"
