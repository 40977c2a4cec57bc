"""Gates in real workers: what they leave out costs no inference, and nothing that happens is missed."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent.config.pipelines import Plugin
from agent.config.tables import Deadlines
from agent.foreground import Foreground
from agent.sources.synthesis import still
from agent.sources.synthesis.scene import SCENE_FRAMES
from agent.sources.synthesis.shapes import sights
from agent.workers.spec import LaneSpec
from tests import runtimes
from tests.simulators.running_agent import RunningAgent, balanced

if TYPE_CHECKING:
    from pathlib import Path

    from agent.ledger import Ledger

SIZE = (320, 240)
SCENES = 24
FRAMES = SCENES * SCENE_FRAMES
MOST_BUSY = 4
"""Of the scenes that are played: rare."""
IN_VIEW = 0.02
"""Less of a shape than this is a sliver at the frame's edge."""


def busy(seed: int) -> list[int]:
    return [number for number in range(SCENES) if still.scene(seed, number).movers]


SEED = next(seed for seed in range(1000) if 2 <= len(busy(seed)) <= MOST_BUSY)


def run(*gates: dict[str, Any], **changes: Any) -> tuple[dict[int, str], Ledger]:
    """Run a worker to its end; give the kind of each frame's result, and its ledger."""
    spec = LaneSpec(
        pipeline="yard",
        model="shapes",
        backend_options={"runtime": runtimes.CHOSEN},
        source="synthetic",
        source_options={
            "scene": "still",
            "width": 320,
            "height": 240,
            "fps": 0,
            "seed": SEED,
            "frames": FRAMES,
        },
        gates=tuple(Plugin.model_validate(one) for one in gates),
        once=True,
    )
    lane = Foreground(spec.model_copy(update=changes), Deadlines())
    kinds = {record.frame: record.kind for some in lane.run() for record in some}
    return kinds, lane.outcome.ledger


def events() -> list[list[int]]:
    """Give the frames of each time that a shape is in view, by the scene's own truth."""
    shown = {
        seq: max((one.visible for one in sights(SEED, seq, *SIZE, scenes=still.scene)), default=0)
        for number in busy(SEED)
        for seq in range(number * SCENE_FRAMES, (number + 1) * SCENE_FRAMES)
    }
    runs = groupby(range(FRAMES), key=lambda seq: shown.get(seq, 0) > IN_VIEW)
    return [list(frames) for seen, frames in runs if seen]


def test_a_still_scene_with_rare_motion_costs_a_fifth_of_the_inferences_at_most_and_no_event_is_missed() -> (
    None
):
    kinds, ledger = run({"kind": "motion", "hold_s": 0, "every_s": 0})
    assert len(events()) >= 2
    for frames in events():
        assert [seq for seq in frames if kinds.get(seq) != "detection"] == []
    assert ledger.captured == FRAMES
    assert ledger.inferred == len(kinds)
    assert ledger.inferred * 5 <= FRAMES
    assert ledger.gated == FRAMES - ledger.inferred
    assert ledger.balanced


def test_gates_stand_in_their_order_and_options_that_are_wrong_are_told(tmp_path: Path) -> None:
    options = {"frames": 6, "fps": 0, "width": 64, "height": 48}
    _, ledger = run({"kind": "motion"}, {"kind": "level", "threshold": 1}, source_options=options)
    assert ledger.failed == {"input": 6}  # motion lets the first ones pass, and level takes no pictures
    (tmp_path / "agent.toml").write_text(
        '[store]\npath = "data"\n[[pipelines]]\nname = "yard"\nmodel = "shapes"\n'
        'source = { kind = "synthetic" }\ngates = [{ kind = "motion", hold = 1 }]\n'
    )
    done = command("check", "--config", str(tmp_path / "agent.toml"))
    assert done.returncode == 78
    assert "agent.toml:7: pipelines.0.gates.0.hold: there is no such key" in done.stderr


def test_a_check_says_that_a_gate_left_the_first_frame_out(tmp_path: Path) -> None:
    np.save(tmp_path / "quiet.npy", np.zeros((256, 3), np.float32))
    (tmp_path / "agent.toml").write_text(
        '[store]\npath = "data"\n[[pipelines]]\nname = "pump"\nmodel = "vibration"\n'
        'source = { kind = "images", paths = ["quiet.npy"] }\ngates = [{ kind = "level", threshold = 1.0 }]\n'
    )
    done = command("check", "--config", str(tmp_path / "agent.toml"))
    assert done.returncode == 0, done.stderr
    assert "; its first frame was left out by a gate" in done.stdout


def test_infer_prints_nothing_of_what_a_gate_leaves_out_and_says_how_much_that_is(tmp_path: Path) -> None:
    paths = []
    for at in range(12):
        picture = np.full((120, 160, 3), 90, np.uint8)
        if at == 11:
            cv2.circle(picture, (80, 60), 30, (20, 200, 240), -1)
        paths.append(str(tmp_path / f"{at:02}.png"))
        assert cv2.imwrite(paths[-1], picture)
    done = command("infer", "shapes", *paths, "--gate", "motion:hold_s=0,every_s=0")
    assert done.returncode == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame"] for line in lines] == [0, 1, 2, 3, 4, 11]
    assert done.stderr == "edge-agent: no line of 6 gated, of 12 frames\n"


def test_a_running_agent_counts_what_its_gate_leaves_out(tmp_path: Path) -> None:
    pipeline = (
        'source = { kind = "synthetic", scene = "still", width = 160, height = 120, fps = 100 }\n'
        'gates = [{ kind = "motion", hold_s = 0, every_s = 0 }]'
    )
    with RunningAgent(tmp_path, pipeline, model="shapes") as agent:
        # Where others compute, frames that the model has no time for come first.
        status = agent.until(
            lambda pipeline: pipeline["ledger"]["gated"] >= 20 + pipeline["ledger"]["inferred"]
        )
    ledger = status["ledger"]
    assert balanced(ledger)
    assert ledger["inferred"] + sum(ledger["dropped"].values()) >= 1


def command(*words: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "agent.cli.main", *words]
    return subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
