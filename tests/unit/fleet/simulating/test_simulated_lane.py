"""A simulated pipeline under the real course of activation: good models serve, and others do not."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from agent.activation.steering import Steering
from agent.fleet.simulating.faults import Traits
from agent.fleet.simulating.lane import Models, SimulatedLane
from agent.workers.messages import Ready
from tests.simulators.kept_world import DIGESTS, PIPELINE, KeptWorld

if TYPE_CHECKING:
    from agent.slots import Verdict

BUNDLES = Path("/bundles")


class KnownModels(Models):
    """Models that lie nowhere."""

    def ready(self, model: str, digest: str) -> Ready:
        facts = {"sha256": digest or "0" * 64, "bundle": digest, "task": "classification"}
        name = Path(model).name
        return Ready(model=f"{name}@1", runtime="none", delegate="cpu", delegated=(0, 0), **facts)


class Pipeline:
    """A lane, its course, and time."""

    def __init__(self, traits: Traits) -> None:
        self.world = KeptWorld()
        self.lane = SimulatedLane(PIPELINE, traits, KnownModels(), Random(1))
        self.steering = Steering(self.lane, self.world.course, "glyphs", BUNDLES, resident=True)
        self.lane.start(self.world.now)

    def work(self, seconds: float) -> None:
        """Let time pass; a proof passes at once, and ten frames come a second."""
        course = self.world.course
        for _ in range(int(seconds * 4)):
            self.world.now += 0.25
            now = self.world.now
            self.lane.tick(now)
            course.tick(now)
            self.steering.tick(now)
            if course.proves:
                course.proved(course.proves, None)
            course.saw(self.lane.answer(5, now))
            self.world.write_all()

    def verdict(self) -> Verdict | None:
        return self.world.verdict("two")


def tried(traits: Traits, seconds: float) -> Pipeline:
    """A pipeline to which a new model has come, so long ago."""
    pipeline = Pipeline(traits)
    pipeline.work(1)
    pipeline.world.to_proof()
    pipeline.work(seconds)
    return pipeline


def test_a_good_model_serves() -> None:
    pipeline = tried(Traits(), 10)
    active = pipeline.world.course.held.active
    assert active
    assert active.bundle == DIGESTS["two"]
    assert pipeline.lane.ledger.balanced
    assert pipeline.lane.restarts == 0


def test_a_model_that_crashes_is_rejected_at_the_third_strike_and_the_old_one_serves() -> None:
    pipeline = tried(Traits(crashes_s=1.0), 120)
    verdict = pipeline.verdict()
    assert verdict
    assert (verdict.state, pipeline.lane.restarts) == ("rejected", 3)
    assert "strikes" in verdict.reason
    assert pipeline.lane.ready
    assert pipeline.lane.ready.bundle == ""


def test_a_model_that_fails_its_probation_is_taken_back_and_its_frames_count_as_failed() -> None:
    pipeline = tried(Traits(fails=True), 10)
    verdict = pipeline.verdict()
    assert verdict
    assert verdict.state == "rolled_back"
    assert 0 < pipeline.lane.failed < pipeline.lane.frames
    assert pipeline.lane.ledger.balanced
