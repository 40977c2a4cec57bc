"""Real workers that do with less: fewer threads, a smaller variant, fewer frames."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from typing import TYPE_CHECKING, Any

from agent import resources
from agent.governor.hand import Hand, Pace
from agent.governor.relief import Relief
from agent.manifest import digest, entry
from agent.workers.spec import LaneSpec
from tests.simulators.live_lane import LiveLane

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LESS = Relief(threads=1, variant="small")


def bundle(folder: Path, *, wrong: bool = False) -> tuple[str, str]:
    """Copy a bundled model with a small variant, which is ``wrong`` by other golden answers."""
    shutil.copytree(resources.bundled_models()["glyphs"], folder)
    told = json.loads((folder / "manifest.json").read_text())
    model = (folder / told["model"]).read_bytes()
    (folder / "small.tflite").write_bytes(model + bytes(16))
    told["variants"] = {"small": "small.tflite"}
    told["files"].append(entry("small.tflite", model + bytes(16)).model_dump(mode="json"))
    if wrong:
        for one in told["golden"]:
            one["expect"] = [{"label": "nothing"}]
    data = json.dumps(told).encode()
    (folder / "manifest.json").write_bytes(data)
    return str(folder), digest(data)


def lane(model: tuple[str, str], **source: Any) -> LiveLane:
    return LiveLane(
        LaneSpec(
            pipeline="door",
            model=model[0],
            digest=model[1],
            backend_options={"threads": 2},
            source="synthetic",
            source_options={"width": 64, "height": 64, "fps": 50, **source},
        )
    )


def guided(live: LiveLane, hand: Hand, relief: Relief, until: Callable[[], bool]) -> None:
    """Let the hand bring the lane to what is asked for."""

    def turn() -> bool:
        hand.tick(time.monotonic(), relief, 50.0)
        return until()

    live.until(turn)


def served(live: LiveLane) -> str:
    assert live.lane.ready is not None
    return live.lane.ready.sha256


def test_a_worker_changes_to_the_small_variant_and_back_between_two_frames(tmp_path: Path) -> None:
    with lane(bundle(tmp_path / "glyphs")) as live:
        live.frames()
        whole, hand = served(live), Hand(live.lane, "normal")
        guided(live, hand, LESS, lambda: served(live) != whole)
        small, before = served(live), len(live.kept)
        live.frames()
        guided(live, hand, Relief(), lambda: served(live) == whole)
        live.frames()
        assert hand.problem == ""
    assert small == live_sha(tmp_path / "glyphs")
    assert len(live.kept) > before
    ledger = live.lane.ledger
    assert (ledger.captured, ledger.failed, ledger.lost) == (ledger.settled, {}, 0)
    assert live.lane.restarts == 0
    assert live.replies == []  # who swaps models hears nothing of this


def live_sha(folder: Path) -> str:
    told = json.loads((folder / "manifest.json").read_text())
    [sha] = [one["sha256"] for one in told["files"] if one["path"] == "small.tflite"]
    return str(sha)


def test_a_variant_that_answers_otherwise_is_refused_and_the_model_goes_on(tmp_path: Path) -> None:
    with lane(bundle(tmp_path / "glyphs", wrong=True)) as live:
        live.frames()
        whole, hand = served(live), Hand(live.lane, "normal")
        guided(live, hand, LESS, lambda: hand.problem != "")
        live.frames()
        assert served(live) == whole
    assert "nothing" in hand.problem
    assert live.lane.ledger.failed == {}
    assert live.lane.restarts == 0


def only_gated(live: LiveLane, frames: int) -> Callable[[], bool]:
    """Whether so many frames in a row were gated and none inferred."""
    last = (live.lane.ledger.gated, live.lane.ledger.inferred)

    def met() -> bool:
        nonlocal last
        now = (live.lane.ledger.gated, live.lane.ledger.inferred)
        if now[1] != last[1]:
            last = now
        return now[0] - last[0] > frames

    return met


def test_a_worker_that_is_started_again_is_told_again(tmp_path: Path) -> None:
    with lane(bundle(tmp_path / "glyphs")) as live:
        live.frames()
        whole, hand = served(live), Hand(live.lane, "low")
        began = time.monotonic()
        guided(live, hand, Relief(), lambda: time.monotonic() - began > 1.1)  # its own rate is known then
        guided(live, hand, Relief(0.25, variant="small"), lambda: served(live) != whole)
        assert hand.pace == Pace(12.5)
        assert live.lane.run is not None
        os.kill(live.lane.run.process.pid, signal.SIGKILL)
        live.until(lambda: live.lane.restarts == 1)
        live.runs()
        assert served(live) == whole  # what was proved is what a worker begins with
        guided(live, hand, Relief(0.25, variant="small"), lambda: served(live) != whole)
        gated = live.lane.ledger.gated
        guided(live, hand, Relief(0.25, variant="small"), lambda: live.lane.ledger.gated > gated + 8)
        guided(live, hand, Relief(0.25, pause=True), lambda: hand.pace.paused)
        guided(live, hand, Relief(pause=True), only_gated(live, 30))
    assert live.lane.ledger.balanced
