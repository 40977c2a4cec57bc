"""Ways to run a model that die, hang or lie while they are measured, and accelerators beside the CPU."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent import resources
from agent.boards.accelerators import Accelerator
from agent.bundles.load import load
from agent.processes.child import Child
from agent.processes.ipc import Channel
from agent.tuning import bench
from agent.tuning.bench import measure
from agent.tuning.choosing import choose
from agent.tuning.messages import TrialSpec
from agent.tuning.setting import Setting
from agent.workers.program import engines
from agent.workers.program.goldens import golden_cases
from agent.workers.spec import LaneSpec
from tests import runtimes
from tests.simulators.lying_delegate import ANY, LyingDelegate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GLYPHS = resources.bundled_models()["glyphs"]


def spec(model: Path) -> Callable[[Setting], TrialSpec]:
    def made(setting: Setting) -> TrialSpec:
        given = {"runtime": runtimes.CHOSEN, "threads": setting.threads, "xnnpack": setting.xnnpack}
        lane = LaneSpec(pipeline="bench", model=str(model), source="synthetic", backend_options=given)
        return TrialSpec(lane=lane.model_dump(), reference={})

    return made


def test_a_process_that_dies_or_hangs_costs_its_own_setting_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_ANSWER_S", 20.0)
    started: list[Child] = []

    def child(module: str, spec_json: bytes) -> Child:
        started.append(Child(module, spec_json))
        if len(started) == 2:
            started[-1].signal(signal.SIGKILL)
        return started[-1]

    monkeypatch.setattr(bench, "Child", child)
    settings = [Setting(1), Setting(2), Setting(1, xnnpack=False)]
    measured, whole = measure(settings, spec(GLYPHS), 0.1)
    assert whole
    assert [one.usable for one in measured] == [True, False, True]
    assert measured[1].problem == "its process died: ended by SIGKILL"
    assert len({len(one.rounds) for one in measured if one.usable}) == 1


class Odd(Child):
    """A process that answers what nobody has asked for: always the same."""

    def __init__(self, answer: bytes) -> None:
        super().__init__("agent.tuning.main", b"{}")
        self.signal(signal.SIGKILL)
        self.channel.close()
        self.channel, self.end = Channel.pair()
        for _ in range(40):
            self.end.send(answer)

    def close(self) -> None:
        self.end.close()
        super().close()


@pytest.mark.parametrize("ns", [0, 5])
def test_a_process_that_answers_otherwise_or_takes_no_time_costs_its_own_setting_only(
    ns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Child] = []

    def child(module: str, spec_json: bytes) -> Child:
        odd = len(started) == 1
        started.append(Odd(f'{{"type":"times","ns":[{ns}]}}'.encode()) if odd else Child(module, spec_json))
        return started[-1]

    monkeypatch.setattr(bench, "Child", child)
    measured, whole = measure([Setting(1), Setting(2)], spec(GLYPHS), 0.1)
    assert whole
    assert [one.usable for one in measured] == [True, False]
    assert measured[1].problem
    assert "bench" not in measured[0].problem
    assert choose(measured) is not None


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> LyingDelegate:
    """A stand-in for an accelerator, that has learned the golden pictures of the glyphs."""
    liar = LyingDelegate(tmp_path_factory.mktemp("liar"), claims=ANY)
    model = load("glyphs")
    twin = engines.backend_of(LaneSpec.model_validate(spec(GLYPHS)(Setting()).lane), model)
    zeros = [np.zeros(one.shape, one.dtype) for one in twin.inputs]
    liar.learn(model.data, [zeros, *(case.tensors for case in golden_cases(model, twin))])
    twin.close()
    return liar


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        ("ok", ""),
        ("garbage", "wrong: "),
        ("crash", "its process died: ended by SIG"),
        ("refuse_invoke", "run model glyphs: "),
        ("hang", "no answer in 6 s"),
    ],
)
def test_an_accelerator_is_measured_beside_the_cpu_whatever_it_does(
    learned: LyingDelegate, mode: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_ANSWER_S", 6.0 if mode == "hang" else 30.0)
    learned.set(mode)
    accelerator = Accelerator(**learned.entry(name="liar"))

    def made(setting: Setting) -> TrialSpec:
        plain = spec(GLYPHS)(setting)
        return plain.model_copy(update={"accelerator": accelerator}) if setting.delegate else plain

    try:
        measured, whole = measure([Setting(), Setting(delegate="liar")], made, 0.1)
    finally:
        learned.heal()
    cpu, other = measured
    assert whole
    assert (cpu.problem, cpu.goldens) == ("", 5)
    assert other.problem.startswith(problem)
    if mode == "ok":
        assert other.problem == ""
        assert other.goldens == 5
        assert other.loaded is not None
        assert (other.loaded.delegate, other.loaded.delegated) == ("liar", (7, 7))
