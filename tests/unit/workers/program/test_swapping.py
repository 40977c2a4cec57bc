"""The thread that swaps models, with real slots and small engines: what is told, and what stays in memory."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import ModelInvalid
from agent.pipeline.slot import Slot
from agent.types import Phase
from agent.workers.program.swapping import Swapper
from agent.workers.spec import Eased, LaneSpec
from tests.simulators.small_engine import AddOne, engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.pipeline.engine import Engine


class Counted(AddOne):
    """A model that is noted while it is in memory."""

    def __init__(self, name: str, loaded: list[str]) -> None:
        super().__init__(0.0)
        self.name = name
        self.loaded = loaded
        loaded.append(name)

    def close(self) -> None:
        self.loaded.remove(self.name)


class Desk:
    """A swapper, and a thread that plays the infer thread."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.beats: list[Phase] = []
        self.loaded: list[str] = []
        self.made: list[str] = []
        self.slot = Slot(self.engine("a"))
        self.swapper = Swapper(self, self.beats.append)
        self._serving = self.slot.engine
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._infer)

    def begin(self) -> None:
        self.swapper.begin(self.slot, self.make, self.spec("a"), resolved=self.resolved)
        self._thread.start()

    def end(self) -> None:
        self.swapper._executor.shutdown()
        self._over.set()
        self._thread.join()

    def _infer(self) -> None:
        while not self._over.is_set():
            self.slot.take(0.001)
            if (now := self.slot.next_engine) is not None and now is not self._serving:
                self._serving = now
                self.swapper.turned(now)

    def engine(self, name: str) -> Engine:
        return engine(Counted(name, self.loaded), model=name)

    def spec(self, model: str) -> LaneSpec:
        return LaneSpec(pipeline="door", model=model, source="x", backend_options={"threads": 2})

    def resolved(self, spec: LaneSpec) -> LaneSpec:
        """Of these models only "b" has a variant, and one thread is all there is."""
        variant = spec.eased.variant if spec.model == "b" else ""
        return spec.model_copy(update={"eased": Eased(variant=variant)})

    def make(self, spec: LaneSpec, pause: Callable[[], object]) -> Engine:
        model = f"{spec.model}{spec.eased.variant}"
        assert len(self.loaded) == 1  # never three at a time
        pause()
        self.made.append(model)
        if model == "bad":
            raise ModelInvalid("load model", model, "it is torn")
        if model == "bug":
            raise KeyError(model)
        return self.engine(model)

    def say(self, message: Mapping[str, object]) -> None:
        self.said.append(dict(message))

    def heard(self, count: int) -> list[tuple[object, ...]]:
        deadline = time.monotonic() + 30
        while len(self.said) < count:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        return [(one["type"], one["token"], one.get("model", one.get("error"))) for one in self.said]


@pytest.fixture(autouse=True)
def _no_lull(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.workers.program.swapping._LULL_S", 0.0)


def test_a_swap_that_is_asked_for_before_there_is_a_pipeline_waits_for_it() -> None:
    desk = Desk()
    desk.swapper.ask("b", "", 1)
    time.sleep(0.02)
    assert desk.said == []
    desk.begin()
    assert desk.heard(1) == [("swapped", 1, "b")]
    desk.end()
    assert desk.beats == [Phase.LOAD, Phase.NONE]


def test_a_model_that_does_not_load_is_told_and_a_bug_is_no_silence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    desk = Desk()
    desk.begin()
    for token, model in enumerate(("bad", "bug", "b"), 1):
        desk.swapper.ask(model, "", token)
    assert desk.heard(3) == [
        ("unswapped", 1, "ModelInvalid"),
        ("unswapped", 2, "AgentError"),
        ("swapped", 3, "b"),
    ]
    desk.end()
    assert "KeyError" in capsys.readouterr().err
    assert sorted(desk.loaded) == ["a", "b"]
    assert desk.beats[-1] is Phase.NONE


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "bad", "settle"]), max_size=12))
def test_at_most_two_models_are_in_memory_and_the_one_that_serves_is_one_of_them(steps: list[str]) -> None:
    desk = Desk()
    desk.begin()
    serving, other, wanted, made = "a", "", [], []
    for token, step in enumerate(steps):
        if step == "settle":
            desk.swapper.settle()
            other = ""
            continue
        desk.swapper.ask(step, "", token)
        if step not in {serving, other}:
            made.append(step)
            other = ""
        if step == "bad":
            wanted.append(("unswapped", token, "ModelInvalid"))
            continue
        wanted.append(("swapped", token, step))
        if step != serving:
            serving, other = step, serving
    assert desk.heard(len(wanted)) == wanted
    desk.end()
    assert desk.made == made
    assert sorted(desk.loaded) == sorted(filter(None, (serving, other)))
    assert desk.slot.engine.facts["model"] == serving


def test_a_model_that_can_do_with_less_is_swapped_and_one_that_cannot_is_left_alone() -> None:
    desk = Desk()
    desk.begin()
    desk.swapper.ease(Eased(threads=1, variant="small"), 1)
    desk.swapper.ask("b", "", 2)
    desk.swapper.ease(Eased(variant="small"), 3)
    desk.swapper.ease(Eased(), 4)
    assert desk.heard(4) == [
        ("swapped", token, model)
        for token, model in zip((1, 2, 3, 4), ("a", "b", "bsmall", "b"), strict=True)
    ]
    desk.end()
    assert desk.made == ["b", "bsmall"]


def test_a_new_model_begins_as_it_was_proved() -> None:
    desk = Desk()
    desk.begin()
    desk.swapper.ask("b", "", 1)
    desk.swapper.ease(Eased(threads=1, variant="small"), 2)
    desk.swapper.ask("a", "", 3)
    desk.swapper.ask("b", "", 4)
    assert [model for _, _, model in desk.heard(4)] == ["b", "bsmall", "a", "b"]
    assert desk.swapper._spec.eased == Eased()
    desk.end()
