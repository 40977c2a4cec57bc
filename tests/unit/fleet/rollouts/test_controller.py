"""Rollouts end as they must, whatever devices do with the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.errors import AgentError, ConfigInvalid, LinkLost, StoreBusy
from agent.fleet.rollouts import controller
from agent.fleet.rollouts.lease import holding
from agent.fleet.rollouts.record import Lease
from agent.fleet.rollouts.shelf import Shelf
from agent.fleet.rollouts.table import State
from agent.fleet.rollouts.wanted import condition
from tests.simulators.paper_fleet import NEW, OLD, PaperFleet, plan, planned, worked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.documents.desired import Desired
    from agent.fleet.rollouts.record import Rollout


def rolled(folder: Path, fleet: PaperFleet, *waves: str, **more: Any) -> Rollout:
    """Roll out to the devices of these waves, each of which names some."""
    shelf = Shelf(folder)
    shelf.write(planned(plan(**more), *(one.split() for one in waves)))
    return worked(shelf, fleet)


def test_good_devices_get_the_model_wave_after_wave(tmp_path: Path) -> None:
    fleet = PaperFleet({"a": "good", "b": "good", "c": "unnamed"})
    done = rolled(tmp_path, fleet, "a", "b c")
    assert done.state is State.COMPLETED
    assert fleet.wanting() == {"a", "b", "c"}
    assert fleet.clock >= 10
    assert [one.state for one in done.history] == [
        *(State.PUBLISHING, State.CONVERGING, State.SOAKING) * 2,
        State.COMPLETED,
    ]
    assert Shelf(tmp_path).read("one").lease is None


@pytest.mark.parametrize("mood", ["rejects", "rolls back", "stuck", "offline"])
def test_a_model_that_fails_on_the_first_wave_reaches_no_other_and_what_was_is_put_back(
    tmp_path: Path, mood: Any
) -> None:
    fleet = PaperFleet({"a": mood, "b": "good", "c": "good"})
    done = rolled(tmp_path, fleet, "a", "b c")
    assert done.state is State.ABORTED
    assert "wave 1: 1 of 1 devices failed" in done.reason
    assert fleet.devices["a"].wish is not None
    assert fleet.devices["a"].wish.models == {"door": OLD}
    assert not fleet.devices["b"].history + fleet.devices["c"].history


def test_on_fail_halt_waits_for_a_person_who_may_let_it_go_on(tmp_path: Path) -> None:
    fleet = PaperFleet({"a": "rejects", "b": "good"})
    done = rolled(tmp_path, fleet, "a", "b", on_fail="halt")
    assert done.state is State.HALTED
    assert fleet.wanting() == {"a"}
    done = worked(Shelf(tmp_path), fleet)
    assert done.state is State.COMPLETED
    assert fleet.wanting() == {"a", "b"}
    assert done.members["a"].excused


@pytest.mark.parametrize(("share", "state"), [(0.02, State.ABORTED), (0.05, State.COMPLETED)])
def test_three_bad_devices_of_a_hundred_are_too_many_or_not(
    tmp_path: Path, share: float, state: State
) -> None:
    names = [f"d{number}" for number in range(100)]
    fleet = PaperFleet({name: "rolls back" if name in {"d20", "d40", "d60"} else "good" for name in names})
    done = rolled(tmp_path, fleet, "d0", " ".join(names[1:]), max_fail=share)
    assert done.state is state
    assert len(fleet.wanting(NEW)) == (100 if state is State.COMPLETED else 0)


def test_a_large_wave_that_goes_bad_stops_in_its_midst(tmp_path: Path) -> None:
    names = [f"d{number}" for number in range(250)]
    fleet = PaperFleet({name: "good" if name == "d0" else "rolls back" for name in names})
    done = rolled(tmp_path, fleet, "d0", " ".join(names[1:]), max_fail=0.1, on_fail="halt")
    assert (done.state, done.history[-2].state) == (State.HALTED, State.PUBLISHING)
    assert len(fleet.wanting()) == 101


def test_a_broker_that_goes_away_is_waited_for_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(controller, "_RETRY_S", 0.0)
    fleet = PaperFleet({"a": "good"})
    publish, away = fleet.publish, 3

    def failing(wishes: Sequence[Desired]) -> None:
        nonlocal away
        away -= 1
        fleet.clock += 200
        if away >= 0:
            raise LinkLost("reach", "broker", "it does not answer")
        publish(wishes)

    fleet.publish = failing  # type: ignore[method-assign]
    assert rolled(tmp_path, fleet, "a").state is State.COMPLETED
    assert len(fleet.devices["a"].history) == 1
    assert capsys.readouterr().err.count("it does not answer. Trying again") == 1
    away = 99
    Shelf(tmp_path).write(planned(plan("two"), ["a"]))
    with pytest.raises(LinkLost):
        worked(Shelf(tmp_path), fleet, "two")


def test_a_folder_in_which_others_are_at_work_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(controller, "_RETRY_S", 0.0)
    fleet = PaperFleet({"a": "good"})
    publish, busy = fleet.publish, [StoreBusy("work in", "keys", "another edgectl does so already")]

    def failing(wishes: Sequence[Desired]) -> None:
        if busy:
            raise busy.pop()
        publish(wishes)

    fleet.publish = failing  # type: ignore[method-assign]
    assert rolled(tmp_path, fleet, "a").state is State.COMPLETED
    assert "another edgectl does so already. Trying again" in capsys.readouterr().err


def test_what_was_asked_of_another_rollout_of_the_same_name_is_not_done_to_this_one(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.write(planned(plan(), ["a"]))
    shelf.ask("one", "abort", 1)
    assert worked(shelf, PaperFleet({"a": "good"})).state is State.COMPLETED


def test_a_silent_device_is_waited_for_until_the_deadline_and_may_have_a_limit_of_its_own(
    tmp_path: Path,
) -> None:
    fleet = PaperFleet({"a": "good", "b": "offline", "c": "good"})
    done = rolled(tmp_path, fleet, "a", "b c", max_silent=0.5)
    assert done.state is State.COMPLETED
    assert done.members["b"].verdict == "silent"
    assert fleet.clock >= 60


def test_a_wave_that_is_silent_as_a_whole_proves_nothing(tmp_path: Path) -> None:
    fleet = PaperFleet({"a": "offline", "b": "good"})
    done = rolled(tmp_path, fleet, "a", "b", max_silent=1.0)
    assert done.reason == "wave 1: no device of it runs the model"
    assert not fleet.devices["b"].history


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("p95 > 1.3x", State.ABORTED),
        ("p95 > 2.5x", State.COMPLETED),
        ("p95 > 35", State.ABORTED),
        ("temperature > 80", State.COMPLETED),
        ("fps < 0.8x", State.COMPLETED),
        ("p50 > 2x", State.ABORTED),  # nobody says it, so nobody knows
    ],
)
def test_a_condition_on_how_devices_do_ends_it(tmp_path: Path, text: str, state: State) -> None:
    fleet = PaperFleet({"a": "slow", "b": "slow", "c": "good"})
    done = rolled(tmp_path, fleet, "a", "b c", conditions=(condition(text),))
    assert done.state is state
    if state is State.ABORTED:
        assert not fleet.devices["b"].history


def test_one_odd_device_does_not_break_a_condition_of_its_wave(tmp_path: Path) -> None:
    fleet = PaperFleet({"a": "good", "b": "slow", "c": "good", "d": "good"})
    done = rolled(tmp_path, fleet, "a", "b c d", conditions=(condition("p95 > 1.3x"),))
    assert done.state is State.COMPLETED


def test_a_desired_state_changes_in_the_model_the_deadline_and_the_probation_alone(tmp_path: Path) -> None:
    fleet = PaperFleet({"a": "good"})
    was = fleet.latest(["a"])["a"].model_copy(update={"overrides": {"log.level": "debug"}})
    fleet.devices["a"].wish = was
    assert rolled(tmp_path, fleet, "a", frames=7).state is State.COMPLETED
    wish = fleet.devices["a"].wish
    probation = was.probation.model_copy(update={"frames": 7})
    news = {"generation": 4, "models": {"door": NEW}, "issued": 1, "deadline_s": 60.0, "probation": probation}
    assert wish == was.model_copy(update=news)


def test_a_device_may_be_away_for_a_moment_while_its_wave_soaks(tmp_path: Path) -> None:
    fleet = PaperFleet({"a": "good", "b": "good"})
    look = fleet.look

    def napping(timeout_s: float) -> None:
        look(timeout_s)
        fleet.devices["a"].mood = "stuck" if 20 <= fleet.clock < 23 or 55 <= fleet.clock < 57 else "good"

    fleet.look = napping  # type: ignore[method-assign]
    done = rolled(tmp_path, fleet, "a", "b", soak_s=30.0, deadline_s=10.0)
    assert done.state is State.COMPLETED
    assert done.members["a"].verdict == "converged"


def test_a_pause_publishes_nothing_further_and_a_resume_goes_on(tmp_path: Path) -> None:
    fleet = PaperFleet({"a": "good", "b": "good"})
    shelf = Shelf(tmp_path)
    shelf.write(planned(plan(), ["a"], ["b"]))
    look = fleet.look

    def ask(timeout_s: float) -> None:
        look(timeout_s)
        if fleet.clock == 2:
            shelf.ask("one", "pause", 1)

    fleet.look = ask  # type: ignore[method-assign]
    assert worked(shelf, fleet).state is State.PAUSED
    assert (shelf.read("one").state, shelf.asked("one")) == (State.PAUSED, None)
    assert fleet.wanting() == {"a"}
    assert worked(shelf, fleet).state is State.COMPLETED
    assert len(fleet.devices["a"].history) == 1


def test_an_abort_puts_back_what_was_and_leaves_alone_what_somebody_has_deployed_since(
    tmp_path: Path,
) -> None:
    fleet = PaperFleet({"a": "good", "b": "good", "c": "good"})
    shelf = Shelf(tmp_path)
    shelf.write(planned(plan(on_fail="halt"), ["a", "b"], ["c"]))
    fleet.devices["c"].mood = "rejects"
    assert worked(shelf, fleet).state is State.HALTED
    theirs = OLD.model_copy(update={"version": "9"})
    for name, models in {"a": {"door": theirs}, "b": {"door": NEW, "yard": theirs}}.items():
        wish = fleet.latest([name])[name]
        fleet.publish([wish.model_copy(update={"generation": 70, "models": models})])
    assert worked(shelf, fleet, want="abort").state is State.ABORTED
    found = {name: one.wish.models for name, one in fleet.devices.items() if one.wish}
    assert found == {"a": {"door": theirs}, "b": {"door": OLD, "yard": theirs}, "c": {"door": OLD}}


def test_who_had_nothing_that_can_be_named_is_told_as_not_put_back(tmp_path: Path) -> None:
    fleet = PaperFleet({"a": "unnamed", "b": "rejects"})
    done = rolled(tmp_path, fleet, "a", "b")
    assert done.state is State.FAILED
    assert done.reason.startswith("not back on what was: a; wave 2: 1 of 1 devices failed")
    assert fleet.clock < 30
    assert fleet.devices["a"].wish is not None
    assert not fleet.devices["a"].wish.models


def test_two_controllers_do_not_work_at_once(tmp_path: Path) -> None:
    shelf, fleet = Shelf(tmp_path), PaperFleet({"a": "good"})
    shelf.write(planned(plan(), ["a"]))
    with (
        holding(shelf, "one", lambda: 1.0),
        pytest.raises(AgentError, match="this machine works on it already as process"),
    ):
        worked(shelf, fleet)
    assert worked(shelf, fleet).state is State.COMPLETED


def test_another_machine_takes_it_over_when_it_is_told_to_and_the_first_one_stops(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    lease = Lease(host="elsewhere", pid=7, since=1, token="x")  # noqa: S106 - of a lease
    shelf.write(planned(plan(), ["a"]).model_copy(update={"lease": lease}))
    with pytest.raises(AgentError, match=r"elsewhere works on it, as process 7\. If it does no longer"):
        worked(shelf, PaperFleet({"a": "good"}))
    with holding(shelf, "one", lambda: 1.0, take_over=True) as (rollout, held):
        shelf.write(rollout.model_copy(update={"lease": lease}))
        with pytest.raises(AgentError, match="elsewhere, process 7, has taken it over"):
            held.write(rollout)
    assert shelf.read("one").lease == lease


def test_two_rollouts_on_one_pipeline_of_a_device_are_refused(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.write(planned(plan(), ["a", "b"]))
    with pytest.raises(ConfigInvalid, match="rollout one is planned, and has the same pipeline of b"):
        shelf.free(plan("two"), {"b", "c"})
    shelf.free(plan("two", pipelines=("yard",)), {"b"})
    shelf.free(plan("two"), {"c"})
    with pytest.raises(ConfigInvalid, match="there is one of this name"):
        shelf.free(plan("one"), {"c"})
