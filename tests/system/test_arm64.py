"""The agent's programs on 64-bit ARM, without a board: run by qemu-user, as a Cortex-A72 would."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.system import building
from tests.system.building import REPOSITORY
from tests.system.emulated import Userland, unit_tests

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.arm64, pytest.mark.timeout(900)]

AGENT = "/opt/edge-agent/bin/edge-agent"
INFER = ("--source", "synthetic", "--frames", "3", "--json")
TOLERANCE = 0.05
"""Of a score: kernels of another processor round otherwise."""
RUN = """
[deadlines]
start_s = 300
load_s = 300
learn = false
[[pipelines]]
name = "door"
model = "glyphs"
source = { kind = "synthetic", width = 160, height = 120, fps = 5, frames = 20 }
"""
READ = """
import glob, json, sqlite3, sys, zlib
records, ledger = [], None
for path in sorted(glob.glob('/tmp/state/segments/result-*.db')):
    for (data,) in sqlite3.connect(path).execute('SELECT data FROM blocks ORDER BY first'):
        body = json.loads(zlib.decompress(data))
        records += body['records']
        ledger = body['ledgers'].get('door', ledger)
print(json.dumps([records, ledger]))
"""
# Those of the words and of level 1 that need nothing but the agent and pytest, and end in a minute.
PURE = (
    "test_fsm.py",
    "test_ledger.py",
    "test_histogram.py",
    "test_npy.py",
    "test_tensors.py",
    "trust/test_dsse.py",
    "test_labels.py",
)


@pytest.fixture
def arm(tmp_path: Path) -> Userland:
    return Userland(building.root("arm64"), tmp_path)


def inferred_here(*words: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "agent.cli.main", "infer", *words, *INFER]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return lines(done.stdout)


def lines(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines()]


def assert_alike(there: list[dict[str, Any]], here: list[dict[str, Any]]) -> None:
    """The same label is the best of each frame, and every label that both name scores alike."""
    assert len(there) == len(here) == 3
    for one, other in zip(there, here, strict=True):
        mine = {item["label"]: item["score"] for item in one["items"]}
        theirs = {item["label"]: item["score"] for item in other["items"]}
        assert max(mine, key=mine.__getitem__) == max(theirs, key=theirs.__getitem__)
        for label in mine.keys() & theirs.keys():
            assert mine[label] == pytest.approx(theirs[label], abs=TOLERANCE), (one, other)


def test_each_bundled_model_meets_its_golden_answers_with_xnnpack(arm: Userland) -> None:
    assert "machine                  aarch64" in arm.says(AGENT, "version")
    said = arm.says(AGENT, "doctor")
    models = [line for line in said.splitlines() if " model " in line]
    assert len(models) == 3
    assert all(line.startswith("ok ") and line.endswith("on xnnpack") for line in models), said
    assert "on aarch64" in said


def test_glyphs_are_seen_as_they_are_on_this_machine(arm: Userland) -> None:
    assert_alike(lines(arm.says(AGENT, "infer", "glyphs", *INFER)), inferred_here("glyphs"))


@pytest.mark.shared
def test_mobilenet_sees_what_it_sees_on_this_machine(tmp_path: Path, shared: Path) -> None:
    def words(folder: Path | str) -> tuple[str, ...]:
        model = f"{folder}/mobilenet_v2_1.0_224_quant.tflite"
        return model, "--task", "classification", "--labels", f"{folder}/imagenet_labels.txt"

    arm = Userland(building.root("arm64"), tmp_path, shared / "models")
    there = lines(arm.says(AGENT, "infer", *words("/src"), *INFER))
    assert_alike(there, inferred_here(*words(shared / "models")))


def test_a_run_keeps_every_frame_and_its_store_is_sound(arm: Userland, tmp_path: Path) -> None:
    for folder in ("state", "run"):
        (tmp_path / folder).mkdir()
    (tmp_path / "agent.toml").write_text(RUN)
    places = ("env", "STATE_DIRECTORY=/tmp/state", "RUNTIME_DIRECTORY=/tmp/run")
    ran = arm.run(*places, AGENT, "run", "--config", "/tmp/agent.toml", "--exit-when-ended")
    assert ran.returncode == 0, ran.stderr
    assert "delegate=xnnpack" in ran.stderr
    verdict = json.loads(arm.says(AGENT, "store", "verify", "--folder", "/tmp/state", "--json"))
    assert (verdict["ok"], verdict["findings"]) == (True, [])
    records, ledger = json.loads(arm.says("/usr/bin/python3", "-c", READ))
    results = [record for record in records if record.get("kind") not in {"ledger", "failed"}]
    dropped, failed = sum(ledger["dropped"].values()), sum(ledger["failed"].values())
    assert ledger["captured"] == 20 == ledger["inferred"] + dropped
    assert (ledger["in_flight"], ledger["lost"], failed) == (0, 0, 0)
    assert len(results) == ledger["inferred"] > 0


def test_the_pure_rooms_pass_their_unit_tests(arm: Userland) -> None:
    said = unit_tests(arm, *(f"tests/unit/{name}" for name in PURE))
    print(f"\n{said}")
    assert " passed" in said
    assert " failed" not in said
    assert " skipped" not in said
