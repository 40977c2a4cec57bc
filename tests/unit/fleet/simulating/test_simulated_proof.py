"""A simulated proof takes a moment, and has the verdict that its device's traits and the model call for."""

from __future__ import annotations

from random import Random

import pytest

from agent.config.tables import Deadlines
from agent.errors import BundleRefused, Retryable
from agent.fleet.simulating.faults import Traits
from agent.fleet.simulating.proof import SimulatedProof
from agent.workers.messages import Proved
from agent.workers.spec import LaneSpec
from tests.unit.fleet.simulating.test_simulated_lane import KnownModels

SPEC = LaneSpec(pipeline="sim", model="/bundles/shapes", digest="1" * 64, source="synthetic")


def begun(traits: Traits, bad: tuple[str, ...] = ()) -> SimulatedProof:
    made = SimulatedProof(SPEC, Deadlines(), traits=traits, models=KnownModels(), rng=Random(1), bad=bad)
    made.start(100.0)
    made.tick(100.0)
    assert made.outcome is None
    assert made.process is None
    return made


def test_a_good_model_is_proved() -> None:
    proof = begun(Traits())
    proof.tick(104.0)
    assert isinstance(proof.outcome, Proved)
    assert proof.next_tick(104.0) is None


@pytest.mark.parametrize(("traits", "bad"), [(Traits(refuses=True), ()), (Traits(), ("shapes@1",))])
def test_a_bad_device_refuses_every_model_and_every_device_a_bad_model(
    traits: Traits, bad: tuple[str, ...]
) -> None:
    proof = begun(traits, bad)
    proof.tick(104.0)
    assert isinstance(proof.outcome, BundleRefused)
    assert proof.outcome.rule == "golden"


def test_a_proof_that_is_called_off_says_nothing_of_the_model() -> None:
    proof = begun(Traits(refuses=True))
    proof.stop()
    proof.tick(104.0)
    assert isinstance(proof.outcome, Retryable)
