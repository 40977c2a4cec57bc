"""The agent's programs where there is another runtime, a broken one or none: in environments of their own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from agent import resources
from agent.config.tables import Deadlines
from agent.errors import LaneCrashed, ModelInvalid
from agent.foreground import Foreground
from agent.tflite.outline import check_outline
from agent.workers.spec import LaneSpec
from tests.runtimes import CHOSEN, SECOND, needs_tflite_runtime
from tests.simulators import tiny_models
from tests.simulators.environments import without

NUMPY_2 = os.environ.get("EDGE_AGENT_TESTS_NUMPY_2", "")
"""A folder that has numpy 2 and nothing else."""
needs_numpy_2 = pytest.mark.skipif(not NUMPY_2, reason="make test-tflite-runtime brings numpy 2")

RUNTIMES = ("ai_edge_litert", "tflite_runtime")
PICTURE = str(resources.bundled_models()["glyphs"] / "golden/0.npy")
CONFIG = """
[store]
path = "data"
[[pipelines]]
name = "cam"
model = "glyphs"
source = { kind = "synthetic", fps = 0, frames = 20 }
backend = { kind = "tflite", runtime = "RUNTIME" }
"""
VERBS = {
    "check": ("check", "--config", "agent.toml"),
    "run": ("run", "--config", "agent.toml", "--exit-when-ended"),
    "infer": ("infer", "glyphs", PICTURE),
    "doctor": ("doctor",),
    "version": ("version",),
}


def ask(python: Path, verb: str, runtime: str = "auto") -> subprocess.CompletedProcess[str]:
    (python.parents[1] / "agent.toml").write_text(CONFIG.replace("RUNTIME", runtime))
    command = [str(python), "-I", "-m", "agent.cli.main", *VERBS[verb]]
    folder = python.parents[1]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=folder)


def told(python: Path, verb: str) -> str:
    """Run ``verb`` where no runtime works; give the one line that says so."""
    done = ask(python, verb)
    assert done.returncode == {"check": 78, "run": 78, "infer": 1, "doctor": 1, "version": 0}[verb]
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "NumPy 1.x" not in said  # numpy's own page
    found = [line for line in said.splitlines() if "pip install" in line]
    assert len(found) == 1, said
    return found[0]


@pytest.mark.parametrize("verb", VERBS)
def test_without_a_runtime_every_verb_says_in_one_line_what_to_install(tmp_path: Path, verb: str) -> None:
    line = told(without(tmp_path, *RUNTIMES), verb)
    assert "none is installed" in line or "none: " in line
    assert "Run: pip install 'ai-edge-litert>=2.1.6,<3'" in line


@needs_tflite_runtime
@needs_numpy_2
@pytest.mark.parametrize("verb", VERBS)
def test_a_runtime_for_numpy_1_under_numpy_2_is_one_line_in_every_verb(tmp_path: Path, verb: str) -> None:
    line = told(without(tmp_path, "ai_edge_litert", over=Path(NUMPY_2)), verb)
    assert "tflite-runtime 2.14.0 was built for numpy 1, and numpy 2." in line
    assert "Run: pip install 'numpy<2' 'opencv-python-headless<4.12'" in line


@needs_tflite_runtime
@needs_numpy_2
def test_auto_goes_round_a_runtime_that_is_broken(tmp_path: Path) -> None:
    python = without(tmp_path, over=Path(NUMPY_2))
    done = ask(python, "check")
    assert done.returncode == 0
    assert "on xnnpack, ai-edge-litert " in done.stdout
    done = ask(python, "check", "tflite-runtime")
    assert done.returncode == 78
    assert done.stderr.endswith("'opencv-python-headless<4.12', or use ai-edge-litert\n")


@needs_tflite_runtime
@pytest.mark.parametrize("verb", ["check", "run", "infer", "version"])
def test_where_tflite_runtime_is_the_only_one_a_whole_lane_runs_on_it(tmp_path: Path, verb: str) -> None:
    done = ask(without(tmp_path, "ai_edge_litert"), verb)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    if verb in {"check", "version"}:
        assert "tflite-runtime 2.14.0" in done.stdout


@needs_tflite_runtime
def test_the_bundled_models_give_their_golden_answers_on_tflite_runtime(tmp_path: Path) -> None:
    python = without(tmp_path, "ai_edge_litert")
    done = subprocess.run(
        [python, "-I", "-m", "agent.cli.main", "doctor", "--json"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    found = {check["check"]: check for check in json.loads(done.stdout)["checks"]}
    assert found["runtime"]["detail"] == "tflite-runtime 2.14.0 (the only one installed)"
    for name in resources.bundled_models():
        assert found[f"model {name}"]["verdict"] == "ok", found[f"model {name}"]
        assert "tflite-runtime 2.14.0" in found[f"model {name}"]["detail"]


def test_damage_that_only_the_runtime_can_see_costs_a_worker_at_the_most(tmp_path: Path) -> None:
    data = bytearray(tiny_models.absolute())
    data[-57] ^= 0x80  # an offset that leads out of the file; the outline is whole
    check_outline(bytes(data))
    (tmp_path / "model.tflite").write_bytes(data)
    spec = LaneSpec(
        pipeline="torn",
        model=str(tmp_path / "model.tflite"),
        task="tensor",
        backend_options={"runtime": CHOSEN},
        source="images",
        source_options={"paths": [PICTURE]},
        once=True,
    )
    # LiteRT's verifier refuses it; tflite-runtime has none, and dies of it.
    with pytest.raises(LaneCrashed if SECOND else ModelInvalid) as caught:
        list(Foreground(spec, Deadlines()).run())
    assert "\n" not in str(caught.value)
    assert caught.value.hint
