"""A model with two homes: each frame is answered, and what is said of whose work it is, is true."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.accelerator.no_twin import NoTwin
from agent.accelerator.twin import AcceleratedBackend
from agent.errors import DelegateLost
from agent.types import Phase, Signature
from tests.simulators.scripted_accelerator import GIVEN, THERE, TWIN, Right, Twin, remote, use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.accelerator.use import Use
    from agent.types import Array


def who(backend: AcceleratedBackend) -> int:
    [output] = backend.infer(GIVEN)
    assert output[0] == GIVEN[0][0]
    return int(output[1])


def kinds(news: Sequence[dict[str, Any]]) -> list[str]:
    return [f"{one['type']} {one.get('kind', one.get('reason', ''))}".strip() for one in news]


def on(one: Use, *, twin: Twin | None = None) -> AcceleratedBackend:
    backend = AcceleratedBackend(twin or Twin())
    assert backend.offer(one)
    return backend


def test_without_an_accelerator_the_twin_is_all_there_is() -> None:
    twin = Twin()
    backend = AcceleratedBackend(twin)
    assert who(backend) == TWIN
    assert (backend.delegate, backend.delegated, backend.runtime) == ("xnnpack", (1, 1), "python")
    assert backend.news() == backend.tend(idle=True, settled_ns=1) == ()
    backend.close()
    assert twin.closed
    with pytest.raises(RuntimeError, match="closed"):
        backend.infer(GIVEN)


def test_what_is_offered_serves_from_the_next_frame_and_takes_the_place_of_another_model() -> None:
    one = use(leave=[7])
    backend = on(one)
    assert backend.delegate == "xnnpack"
    assert kinds(backend.tend(idle=False, settled_ns=1)) == ["accelerated"]
    assert (backend.delegate, remote(one).dropped, who(backend)) == ("liar", [7], THERE)


@pytest.mark.parametrize("kind", ["overrun", "died"])
def test_the_frame_that_an_accelerator_fails_is_the_twins_at_once(kind: str) -> None:
    one = use("ok", kind)
    backend = on(one)
    assert who(backend) == THERE
    assert kinds(backend.news()) == ["accelerated"]
    assert who(backend) == TWIN
    incident, regained = backend.news()
    assert kinds([incident, regained]) == [f"incident {kind}", f"regained {kind}"]
    assert (incident["twin"], incident["generation"]) == (True, 1)
    assert 0 <= regained["blind_us"] < 1_000_000
    assert (remote(one).closed, who(backend), backend.news()) == (True, TWIN, ())


def test_a_refusal_is_tried_again_once() -> None:
    one = use("refused", "ok", "refused", "refused")
    backend = on(one)
    assert who(backend) == THERE
    assert kinds(backend.news()) == ["accelerated", "retried"]
    assert who(backend) == TWIN
    assert kinds(backend.news()) == ["incident refused", "regained refused"]
    assert remote(one).asked == 4


def test_while_it_loads_for_others_the_twin_stands_in_without_an_incident() -> None:
    backend = on(use("occupied"))
    assert [who(backend) for _ in range(3)] == [TWIN, TWIN, THERE]
    assert kinds(backend.news()) == ["accelerated", "relieved busy", "accelerated"]


def test_what_is_taken_back_is_let_go_of_between_two_frames() -> None:
    one = use()
    backend = on(one)
    assert who(backend) == THERE
    backend.recall(1)
    assert kinds(backend.tend(idle=False, settled_ns=1)) == ["accelerated", "relieved asked"]
    assert (who(backend), remote(one).closed) == (TWIN, True)
    assert not backend.offer(use(generation=1))
    assert backend.offer(use(generation=2))
    assert who(backend) == THERE


def test_a_connection_that_is_hung_up_to_take_it_back_is_no_incident_but_its_frame_has_waited() -> None:
    one = use("ok", "died")
    backend = on(one)
    who(backend)
    backend.news()
    backend._recalled = 0
    original = remote(one).infer

    def hung_up(tensors: Sequence[Array]) -> Sequence[Array]:
        backend.recall(1)
        return original(tensors)

    remote(one).infer = hung_up  # type: ignore[method-assign]
    assert who(backend) == TWIN
    assert kinds(backend.news()) == ["relieved asked", "regained died"]


def test_a_model_that_no_longer_serves_takes_no_offer_and_gives_back_what_it_has() -> None:
    one = use()
    backend = on(one)
    who(backend)
    assert backend.release() is one
    assert not remote(one).closed
    assert not backend.offer(use(generation=2))
    backend.engage()
    assert backend.offer(use(generation=2))


def test_a_model_without_a_twin_has_no_answer_while_its_accelerator_is_away() -> None:
    backend = AcceleratedBackend(NoTwin(Signature(Twin().inputs, Twin().outputs), "a runtime"))
    assert backend.delegate == "none"
    with pytest.raises(DelegateLost):
        backend.infer(GIVEN)
    assert backend.offer(use("ok", "died"))
    assert who(backend) == THERE
    assert backend.delegate == "liar"
    for _ in range(2):
        with pytest.raises(DelegateLost):
            backend.infer(GIVEN)
    news = backend.news()
    assert kinds(news) == ["accelerated", "incident died"]
    assert not news[-1]["twin"]
    assert backend.offer(use(generation=2))
    assert who(backend) == THERE
    assert kinds(backend.news()) == ["accelerated", "regained died"]


def test_the_golden_answers_are_looked_at_when_it_is_time_and_garbage_is_an_incident() -> None:
    one = use("ok", "ok", "garbage", cases=[Right()], recheck_s=0.0001)
    backend = on(one)
    who(backend)
    backend.tend(idle=True, settled_ns=41)
    assert (remote(one).asked, one.good_ns) == (2, 41)
    one.checked_ns = 0
    [incident] = backend.tend(idle=True, settled_ns=42)
    assert (incident["kind"], incident["good_ns"]) == ("garbage", 41)
    assert who(backend) == TWIN
    assert kinds(backend.news()) == ["regained garbage"]


def test_a_look_waits_for_a_pause_but_not_for_ever() -> None:
    one = use(cases=[Right()], recheck_s=100)
    backend = on(one)
    who(backend)
    asked = remote(one).asked
    one.checked_ns = time.monotonic_ns() - 101_000_000_000
    backend.tend(idle=False, settled_ns=1)
    assert remote(one).asked == asked
    one.checked_ns -= 10_000_000_000
    backend.tend(idle=False, settled_ns=1)
    assert remote(one).asked == asked + 1
    one.checked_ns -= 101_000_000_000
    backend.tend(idle=True, settled_ns=1)
    assert remote(one).asked == asked + 2


def test_waiting_for_the_accelerator_is_no_hang_and_the_twins_work_may_be_one() -> None:
    phases: list[Phase] = []
    backend = AcceleratedBackend(Twin(), phases.append)
    backend.offer(use("ok", "died"))
    who(backend)
    who(backend)
    assert phases == [Phase.WAIT, Phase.WAIT, Phase.INVOKE]


STEPS = st.lists(
    st.sampled_from(
        ["ok", "ok", "refused", "overrun", "died", "occupied", "offer", "recall", "tend", "swap"]
    ),
    max_size=40,
)


class Told:
    """What the supervisor believes of the delegate that serves."""

    delegate = "xnnpack"

    def take(self, news: Sequence[dict[str, Any]]) -> None:
        for one in news:
            if one["type"] == "accelerated":
                self.delegate = one["delegate"]
            elif one["type"] in {"incident", "relieved"}:
                self.delegate = "xnnpack"


@settings(max_examples=300)
@given(STEPS)
def test_whatever_happens_each_frame_is_answered_and_its_delegate_is_named_right(steps: list[str]) -> None:
    backend = AcceleratedBackend(Twin())
    current = use(generation=0)
    generation = 0
    told = Told()
    for step in steps:
        match step:
            case "offer":
                generation += 1
                new = use(generation=generation)
                if backend.offer(new):
                    current = new
            case "recall":
                backend.recall(generation)
            case "tend":
                told.take(backend.tend(idle=True, settled_ns=1))
            case "swap":
                backend.release()
                backend.news()
                told.delegate = "xnnpack"
                backend.engage()
            case _:
                remote(current).script = [step]
        answered = who(backend)
        told.take(backend.news())
        assert answered == (THERE if told.delegate == "liar" else TWIN)
