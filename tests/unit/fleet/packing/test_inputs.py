"""Models of several inputs become bundles, with golden answers from the state's beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent.bundles.load import load
from agent.errors import ModelInvalid
from agent.fleet.packing.pack import Options, pack
from agent.inputs import Carried
from tests.simulators import recurrent

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = """\
name = "sum"
version = "1"
license = "MIT"
task = "tensor"
budget.measure = false

[[golden]]
input = "a.npy"
items = 1
keys = ["mean"]

[[golden]]
input = "b.npy"
keys = ["mean"]
"""
INPUTS = """
[pre.inputs]
x = "frame"
h = { from = "h_out", initial = 2 }

[post]
kind = "tensor"
outputs = { all = "total" }
"""


def packed(folder: Path, recipe: str) -> Path:
    (folder / "sum.tflite").write_bytes(recurrent.accumulator())
    (folder / "m.toml").write_text(recipe)
    for name, value in (("a", 1.0), ("b", 5.0)):
        np.save(folder / f"{name}.npy", np.full(2, value, np.float32))
    return pack(
        Options(folder / "sum.tflite", folder / "m.toml", out=folder / "out", allow_float=True)
    ).folder


def test_what_fills_the_inputs_and_which_output_is_which_stand_in_the_manifest(tmp_path: Path) -> None:
    model = load(packed(tmp_path, RECIPE + INPUTS))
    assert model.pre.inputs == {"x": "frame", "h": Carried(from_="h_out", initial=2)}
    assert model.post == {"outputs": {"all": "total"}}
    assert model.manifest is not None
    assert [one.expect[0]["mean"] for one in model.manifest.golden] == [3, 7]


def test_a_model_of_which_nothing_says_what_fills_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match=r"it has 2 inputs, .* and pre.inputs lacks x, h"):
        packed(tmp_path, RECIPE)
