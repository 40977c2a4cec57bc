"""Mutated models that were signed: each is proved in a process of its own, and the old model serves."""

from __future__ import annotations

import os
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest

from agent import resources
from agent.cli.device.commanding import carried_out, done
from agent.documents.desired import Probation
from tests.runtimes import CHOSEN
from tests.simulators.glyphs_bundles import glyphs
from tests.simulators.operator import Operator, moody_program
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker
    from agent.documents.reported import Standing

pytestmark = pytest.mark.mosquitto

VARIABLE = "EDGE_AGENT_TESTS_SIGNED_MUTANTS"
COUNT = int(os.environ.get(VARIABLE, "10"))
PIPELINE = f"""backend = {{ kind = "tflite", runtime = "{CHOSEN}" }}
source = {{ kind = "synthetic", width = 48, height = 48, fps = 30 }}"""
OLD = "glyphs@1.0.0"
LONG = Probation(frames=20, seconds=600, failed=0.1, slower=100.0)


def mutated(good: bytes, noise: Random) -> bytes:
    """Change a model in one of many ways; half of them aim at its ends, where its structure is."""
    data = bytearray(good)
    low, high = noise.choice(((0, len(data)), (0, len(data)), (0, 2000), (len(data) - 8000, len(data))))
    while data == good:
        match noise.randrange(5):
            case 0:
                for _ in range(noise.choice((1, 8, 64))):
                    data[noise.randrange(low, high)] ^= 1 << noise.randrange(8)
            case 1:
                del data[noise.randrange(len(data)) :]
            case 2:
                at = noise.randrange(low, high - 4)
                data[at : at + 4] = noise.choice((bytes(4), b"\xff" * 4, noise.randbytes(4)))
            case 3:
                one, other = (noise.randrange(low, high - 200) for _ in range(2))
                size = noise.randrange(1, 200)
                data[one : one + size] = data[other : other + size]
            case _:
                at = noise.randrange(low, high - 8)
                data[at : at + 4], data[at + 4 : at + 8] = data[at + 4 : at + 8], data[at : at + 4]
    return bytes(data)


def verdict(standing: Standing) -> str:
    """Say in a few words what became of a mutant."""
    reason = standing.reason
    if standing.state == "probation":
        return "proved, since its golden answers are right"
    if standing.state == "rolled_back":
        return "proved, and failed on trial"
    words = {
        "ended by": "took its process with it",
        "it hung": "took its process with it",
        "load model /": "refused by our look at the outline",
        "load model glyphs": "refused by the runtime",
        "run model": "refused by the runtime",
        ".npy: ": "refused for a wrong golden answer",
    }
    return next((what for word, what in words.items() if word in reason), "refused by the contract")


def test_a_mutated_model_that_was_signed_costs_its_proof_at_most(tmp_path: Path, broker: Broker) -> None:
    honest = (resources.bundled_models()["glyphs"] / "glyphs.tflite").read_bytes()
    noise = Random(7)
    found: Counter[str] = Counter()
    with Operator(tmp_path, broker.port) as operator:
        for number in range(1, COUNT + 1):
            files, fields = glyphs(mutated(honest, noise))
            operator.repository.add_bundle("glyphs", str(number), files, **fields)
        operator.publish()
        device = RunningAgent(tmp_path, PIPELINE, operator.tables())
        device.program = moody_program(tmp_path)
        with device:
            worker = device.until_inferred()["pid"]
            for number in range(1, COUNT + 1):
                operator.deploy(LONG, door=f"glyphs@{number}")
                standing = operator.until(
                    lambda one: one.strikes > 0 or one.state in {"rejected", "probation", "rolled_back"}
                )
                found[verdict(standing)] += 1
                if standing.state == "probation":
                    device.until(lambda one: one["model"] != OLD)
                    done(carried_out(device.control, "rollback", {"pipeline": "door"}, 30))
                serves = device.until(lambda one: one["model"] == OLD)
                assert (serves["pid"], serves["restarts"]) == (worker, 0)
                if os.environ.get(VARIABLE):
                    print(number, verdict(standing), standing.reason[-200:], flush=True)
            assert device.end() == 0
    print(CHOSEN, dict(found))
    assert len(found) > 1, found
