"""The accelerator that lies, with the glyphs' golden answers learned by heart, and a pipeline for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import resources
from agent.bundles.load import load
from agent.workers.program import engines, goldens
from agent.workers.spec import LaneSpec
from tests import runtimes
from tests.simulators.accelerator_desk import Desk
from tests.simulators.lying_delegate import ANY, LyingDelegate

if TYPE_CHECKING:
    from agent.workers.record import Record

GLYPHS = resources.bundled_models()["glyphs"]
LIMITS = {"open_s": 10, "load_s": 10, "invoke_s": 0.5, "floor_s": 0.25}
TITLE = "liar"
SPEC = LaneSpec(
    pipeline="door",
    model="glyphs",
    backend_options={"runtime": runtimes.CHOSEN},
    source="images",
    source_options={"paths": [str(GLYPHS / "golden")], "loop": True},
)
"""Shows the golden pictures, one after the other, for ever."""


def learned(folder: Path) -> LyingDelegate:
    """Give an accelerator that knows the glyphs."""
    liar = LyingDelegate(folder, claims=ANY)
    model = load("glyphs")
    twin = engines.backend_of(SPEC, model)
    cases = goldens.golden_cases(model, twin)
    twin.close()
    liar.learn(model.data, [case.tensors for case in cases])
    return liar


def desk(liar: LyingDelegate, **entry: Any) -> Desk:
    """Start its process."""
    entry = {"name": TITLE, "limits": LIMITS, "recheck_s": 0, **entry}
    return Desk(liar.entry("external", **entry))


def right(record: Record) -> bool:
    """Whether a result is what the bundle says of its picture."""
    manifest = json.loads((GLYPHS / "manifest.json").read_text())
    expect = {Path(one["input"]).name: one["expect"][0]["label"] for one in manifest["golden"]}
    return bool(record.items[0]["label"] == expect[Path(record.origin).name])
