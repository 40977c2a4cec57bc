"""The bundled vibration model, as it was committed, and how it is measured."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from agent import manifest
from agent.golden import differs
from agent.sources.synthesis.episodes import FAULTS
from agent.sources.synthesis.vibration import AXES
from models import vibration
from models.line import Line
from models.runner import Runner
from models.vibration import data, evaluate

FOLDER = Path(vibration.__file__).parent
MANIFEST = manifest.parse((FOLDER / "manifest.json").read_bytes())
FRESH = data.HELD_OUT + 500_000
"""Machines that the training script does not measure on."""


def content(path: str) -> bytes:
    return (FOLDER / path).read_bytes()


@pytest.fixture(scope="module")
def model() -> Line:
    assert MANIFEST.post is not None
    return Line.of(FOLDER)


@pytest.fixture(scope="module")
def judged(model: Line) -> evaluate.Judged:
    return evaluate.judged(model, data.held_out(FRESH, 2400))


def test_every_file_is_the_one_that_the_manifest_names() -> None:
    assert len(content(MANIFEST.model)) < 100_000
    named = {one.path: one.sha256 for one in MANIFEST.files}
    assert {path: hashlib.sha256(content(path)).hexdigest() for path in named} == named
    assert {path.name for path in (FOLDER / "golden").iterdir()} == {Path(p).name for p in named if "/" in p}


def test_it_reproduces_its_golden_answers(model: Line) -> None:
    labels = []
    for golden in MANIFEST.golden:
        window = np.load(FOLDER / golden.input)
        assert (window.dtype.name, window.shape) == ("float32", (data.WINDOW, AXES))
        assert differs([*model.items(window)], golden.expect, golden.tol) == ""
        labels.append(golden.expect[0]["label"])
    assert (labels.count("normal"), labels.count("anomaly")) == (2, len(FAULTS))


def test_it_tells_faults_that_it_never_saw_on_machines_that_it_never_saw(judged: evaluate.Judged) -> None:
    """The margin is for the small number of machines, 120."""
    assert judged.auc(judged.chosen(evaluate.USUAL)) >= evaluate.TARGET - 0.01
    for fault in FAULTS:
        assert judged.auc(judged.chosen(fault)) >= 0.9
    assert judged.auc(judged.chosen("severity above 0.6")) >= 0.99


def test_at_its_threshold_health_is_quiet_and_a_full_fault_is_not(judged: evaluate.Judged) -> None:
    assert judged.alarm[judged.fault == ""].mean() <= 0.005
    assert judged.alarm[judged.chosen("severity above 0.6")].mean() >= 0.95


def test_each_condition_is_measured_in_the_order_of_the_list() -> None:
    found = dict(evaluate.measure(FOLDER, 600))
    assert tuple(found) == evaluate.CONDITIONS
    assert all(0.4 < value <= 1 for value in found.values())
    assert list(dict(evaluate.rates(FOLDER, 600)))[:2] == ["healthy", evaluate.USUAL]


def test_conditions_choose_the_faulty_windows_that_they_name(judged: evaluate.Judged) -> None:
    faulty = judged.fault != ""
    np.testing.assert_array_equal(judged.chosen(evaluate.USUAL), faulty)
    kinds = sum(judged.chosen(fault).astype(int) for fault in FAULTS)
    np.testing.assert_array_equal(kinds, faulty.astype(int))
    bands = [judged.chosen(name) for name in evaluate.CONDITIONS if name.startswith("severity")]
    np.testing.assert_array_equal(sum(band.astype(int) for band in bands), faulty.astype(int))


def test_training_and_threshold_see_healthy_machines_of_their_own() -> None:
    windows = data.healthy(1, 3, 4)
    assert (windows.dtype.name, windows.shape) == ("float32", (12, data.WINDOW, AXES))
    np.testing.assert_array_equal(windows, data.healthy(1, 3, 4))
    np.testing.assert_array_equal(windows[4:8], data.healthy(2, 1, 4))
    held = [window for window, _ in data.held_out(data.HELD_OUT, 40)]
    known = {one.tobytes() for one in (*windows, *data.healthy(data.VALIDATION, 3, 4))}
    assert len(known) == 24
    assert not known & {one.tobytes() for one in held}
    assert len(held) == 40
    healthy, steady = (np.abs(some).max() for some in (windows, held))
    assert healthy < 0.6
    assert steady < 2.0  # within the input's range


def test_held_out_windows_come_from_many_machines() -> None:
    """A machine is known by how its two radial directions lag behind each other at the shaft's speed."""
    lags = []
    for window, truth in data.held_out(data.HELD_OUT, 8 * data.A_MACHINE, 0.0):
        across, up, _ = (np.fft.rfft(window * np.hanning(data.WINDOW)[:, None], axis=0))[4]
        lags.append(across * up.conj() / abs(across * up) if truth.fault == "" else np.nan)
    machines = np.array(lags).reshape(8, data.A_MACHINE)
    assert np.nanstd(machines, axis=1).max() < 0.1
    assert np.nanmean(machines, axis=1).std() > 0.3


def test_all_of_it_is_int8() -> None:
    runner = Runner(content(MANIFEST.model), observe=True)
    kinds = {np.dtype(one["dtype"]).name for one in runner.tensors()}
    assert kinds == {"int8", "int32"}  # biases and shapes are int32


def test_the_card_states_the_licence_the_limits_and_every_condition() -> None:
    card = content("README.md").decode()
    for word in ("Apache-2.0", "held-out", "Limits", str(len(content(MANIFEST.model)))):
        assert word in card
    table = card.partition(f"| condition | {evaluate.METRIC} |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (.+?) \| (\d\.\d{3}) \|$", table, re.MULTILINE)
    assert tuple(name for name, _ in rows) == evaluate.CONDITIONS
    assert float(rows[0][1]) >= evaluate.TARGET
