"""An accelerator that fails, with real processes and a real runtime: never blind, and back when it heals.

The library is the stand-in of `tests/simulators/lying_delegate.c`: it shows what the agent does, and nothing
of what real accelerators do.
"""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import unpack
from agent.boards.accelerators import Accelerator
from agent.cli.device.settings import Loaded
from agent.config.tables import Deadlines
from agent.errors import ConfigInvalid
from agent.events import counters
from agent.recovery.ladder import State
from agent.store.segment import Segment
from agent.workers.messages import Proved
from agent.workers.proof import Proof
from tests.simulators.glyph_camera import LIMITS, Scene
from tests.simulators.live_accelerators import Line
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOON_S = 5.0
"""By when a correct result must be there; on a machine that does nothing else it takes half a second."""


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture
def scene(learned: Scene) -> Iterator[Scene]:
    learned.liar.heal()
    yield learned
    learned.liar.heal()


def ledgers_balance(line: Line) -> None:
    """Each frame is accounted for, and none was lost or failed in any pipeline."""
    for name, lane in line.lanes.items():
        assert lane.ledger.balanced
        assert (lane.ledger.lost, dict(lane.ledger.failed), lane.restarts) == (0, {}, 0), name
        numbers = [work.record.frame for work in line.work[name]]
        assert numbers == sorted(set(numbers))
        assert len(numbers) == lane.ledger.inferred


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("hang", "overrun"),
        ("hang_gil", "overrun"),
        ("crash", "died"),
        ("refuse_invoke", "refused"),
        ("vanish", "refused"),
    ],
)
def test_a_pipeline_at_30_fps_is_blind_for_a_moment_and_comes_back(
    scene: Scene, mode: str, kind: str, record_property: Any
) -> None:
    with Line([scene.accelerator()], scene.spec("door"), scene.spec("yard", "cpu")) as line:
        line.until_on("door", "liar", 40)  # its deadline is learned by then
        before = len(line.work["yard"])
        scene.liar.set(mode)
        fault_ns = time.monotonic_ns()
        line.until(lambda: bool(line.all.owners["liar"].incidents))
        scene.liar.heal()
        after = [work for work in line.work["door"] if work.record.captured_ns > fault_ns]
        line.until_on("door", "liar", 10)
        back_s = (line.work["door"][-10].came_ns - fault_ns) / 1e9
        after = [work for work in line.work["door"] if work.record.captured_ns > fault_ns]
        assert line.all.owners["liar"].incidents == {kind: 1}
        assert line.all.owners["liar"].state is State.PROBATION
        assert line.all.cpu_seconds("door") > line.all.cpu_seconds("yard") == 0.0
        blind_ms = line.all.status(time.monotonic())[0]["blind_ms"]
    correct_s = (next(one for one in after if scene.right(one)).came_ns - fault_ns) / 1e9
    record_property("correct_s", round(correct_s, 3))
    record_property("blind_ms", blind_ms)
    record_property("back_s", round(back_s, 3))
    print(
        f"{mode}: next correct result after {correct_s:.3f} s, blind {blind_ms} ms, back after {back_s:.2f} s"
    )
    assert correct_s < SOON_S
    assert 0 < blind_ms / 1000 < SOON_S
    assert len(line.work["yard"]) > before
    assert all(scene.right(one) for works in line.work.values() for one in works)
    ledgers_balance(line)


def test_garbage_is_seen_at_the_next_check_and_what_came_before_is_suspect(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    suspect = counters["accelerator.suspect"]
    with Line([scene.accelerator(recheck_s=0.5)], scene.spec("door")) as line:
        line.until_on("door", "liar", 30)
        scene.liar.set("garbage")
        fault_ns = time.monotonic_ns()
        line.until(lambda: bool(line.all.owners["liar"].incidents))
        noticed_s = (time.monotonic_ns() - fault_ns) / 1e9
        scene.liar.heal()
        line.until_on("door", "liar", 10)
    print(f"garbage: noticed after {noticed_s:.3f} s")
    assert noticed_s < SOON_S
    assert counters["accelerator.suspect"] == suspect + 1
    [said] = [one.getMessage() for one in caplog.records if "accelerator.suspect" in one.getMessage()]
    bounds = dict(part.split("=") for part in said.split() if "_ns=" in part)
    wrong = [one.record.captured_ns for one in line.work["door"] if not scene.right(one)]
    assert wrong
    assert all(int(bounds["from_ns"]) < one <= int(bounds["to_ns"]) for one in wrong)
    ledgers_balance(line)


def test_a_fault_that_stays_ends_in_a_rest_and_what_heals_is_found_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.recovery.ladder.REST_S", 0.5)
    with Line([scene.accelerator()], scene.spec("door")) as line:
        owner = line.all.owners["liar"]
        line.until_on("door", "liar")
        scene.liar.set("crash")
        line.until(lambda: owner.state is State.RESTING)
        starts = owner.restarts
        scene.liar.heal()
        line.until_on("door", "liar")
    assert (starts, owner.incidents["died"]) == (1, 2)
    assert all(map(scene.right, line.work["door"]))
    ledgers_balance(line)


def test_the_next_accelerator_serves_while_the_first_cannot_be_opened(scene: Scene) -> None:
    missing = Accelerator(kind="external", name="missing", options={"library": "/nowhere/libnone.so"})
    with Line([missing, scene.accelerator()], scene.spec("door")) as line:
        line.until_on("door", "liar")
        assert line.all.owners["missing"].state is State.RESTING
    assert line.all.owners["missing"].incidents == {"absent": 1}
    ledgers_balance(line)


@pytest.mark.parametrize("mode", ["null", "crash_open", "hang_open"])
def test_an_accelerator_that_cannot_be_opened_costs_no_frame(scene: Scene, mode: str) -> None:
    scene.liar.set(mode)
    with Line([scene.accelerator(limits={**LIMITS, "open_s": 0.5})], scene.spec("door")) as line:
        owner = line.all.owners["liar"]
        line.until(lambda: owner.state is State.RESTING)
        line.until(lambda: len(line.work["door"]) > 5)
        assert line.all.standing("door") == {"accelerator": None, "twin": True}
    assert owner.problem
    assert "\n" not in owner.problem
    ledgers_balance(line)


def test_two_pipelines_share_an_accelerator_and_both_get_over_its_fall(scene: Scene) -> None:
    with Line([scene.accelerator()], scene.spec("door"), scene.spec("yard")) as line:
        line.until_on("door", "liar")
        line.until_on("yard", "liar")
        assert len(set(scene.liar.processes[-1:])) == 1
        scene.liar.set("crash")
        line.until(lambda: bool(line.all.owners["liar"].incidents))
        scene.liar.heal()
        line.until_on("door", "liar")
        line.until_on("yard", "liar")
    assert line.all.owners["liar"].incidents == {"died": 1}
    assert all(scene.right(one) for works in line.work.values() for one in works)
    ledgers_balance(line)


def test_a_new_model_is_proved_on_the_accelerator_that_serves_its_pipeline(scene: Scene) -> None:
    with Line([scene.accelerator()], scene.spec("door")) as line:
        assert line.all.lend("door") is None
        line.until_on("door", "liar")
        lent = line.all.lend("door")
        assert lent is not None
        proof = Proof(scene.spec("door"), Deadlines())
        with lent[1]:
            proof.start(time.monotonic(), *lent)

        def over() -> bool:
            proof.receive()
            proof.reap(time.monotonic())
            proof.tick(time.monotonic())
            return proof.outcome is not None

        line.until(over)
    assert isinstance(proof.outcome, Proved), proof.outcome
    assert (proof.outcome.delegate, proof.outcome.goldens) == ("liar", 5)
    ledgers_balance(line)


def test_a_delegate_that_the_board_does_not_have_is_told_with_its_line(scene: Scene, tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(
        f'profile = "{scene.profile(tmp_path / "bench.toml")}"\n[[pipelines]]\nname = "door"\n'
        'model = "glyphs"\nsource = { kind = "synthetic" }\nbackend = { delegate = "edgetpu" }\n'
    )
    with pytest.raises(ConfigInvalid) as caught:
        Loaded(config).plan()
    line = str(caught.value)
    assert "agent.toml:6: pipelines.0.backend.delegate: profile bench has no delegate 'edgetpu'" in line
    assert "Use one of: auto, cpu, xnnpack, liar" in line
    config.write_text(config.read_text().replace("edgetpu", "liar"))
    assert Loaded(config).plan().lanes[0].backend_options["delegate"] == "liar"


def test_the_agent_tells_of_an_incident_in_its_status_and_upstream(scene: Scene, tmp_path: Path) -> None:
    agent = RunningAgent(
        tmp_path, f'source = {{ kind = "video", path = "{scene.path}", loop = true, realtime = true }}'
    )
    agent.environment = {**os.environ, "EDGE_AGENT__PROFILE": scene.profile(tmp_path / "bench.toml")}
    with agent:
        agent.until(lambda door: door["delegate"] == "liar" and door["accelerator"] == "liar")
        agent.until_inferred(30)
        scene.liar.set("crash")
        agent.until(lambda _: bool(agent.status()["accelerators"][0]["incidents"]))
        scene.liar.heal()
        agent.until(lambda door: door["delegate"] == "liar" and not door["twin"])
        [status] = agent.status()["accelerators"]
        lines = subprocess.run(
            [*agent.program, "status", "--config", str(agent.config)],
            env=agent.environment, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        agent.until_inferred(5)
        assert agent.end() == 0
    assert (status["state"], status["incidents"], status["rung"]) == ("probation", {"died": 1}, 1)
    assert status["problem"] == "ended by SIGSEGV"
    assert 0 < status["blind_ms"] < SOON_S * 1000
    assert "    incidents: died 1\n    rung 1  restarts 1  blind " in lines
    records, ledger = agent.stored()
    works = [record for record in records if record["kind"] == "classification"]
    assert {record["delegate"] for record in works} == {"liar", "xnnpack"}
    assert all(one["items"][0]["label"] == scene.labels[one["frame"] % len(scene.labels)] for one in works)
    assert ledger["captured"] == ledger["inferred"] + sum(ledger["dropped"].values())
    failed = [one for one in alerts(agent.data) if one["event"] == "accelerator.failed"]
    [alert] = [one for one in failed if "pipeline" in one["items"][0]]
    assert alert["subject"] == "liar"
    [told] = alert["items"]
    assert (told["pipeline"], told["kind"], told["then"]) == ("door", "died", "open")
    assert float(told["blind_ms"]) == status["blind_ms"]


def alerts(data: Path) -> list[dict[str, Any]]:
    """Give the events that a data folder holds for the collector."""
    found: list[dict[str, Any]] = []
    for path in (data / "segments").glob("*.db"):
        with closing(Segment.create(path)) as segment:
            for block in segment.read(1, 1 << 30):
                found += [record for record in unpack(block)[0] if record["kind"] == "event"]
    return found
