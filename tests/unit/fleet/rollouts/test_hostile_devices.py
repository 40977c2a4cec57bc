"""What a device says of itself, signed and untrue, stops no rollout of others and steers no terminal."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from agent.documents import reported as reports
from agent.documents.reported import Reported, Serving, Standing
from agent.errors import AgentError, MessageInvalid
from agent.fleet.rollouts import wishes
from agent.fleet.rollouts.admission import admit
from agent.fleet.rollouts.course import Course
from agent.fleet.rollouts.lease import locked
from agent.fleet.rollouts.record import Member, Rollout
from agent.fleet.rollouts.seams import View
from agent.fleet.rollouts.shelf import Shelf
from tests.simulators.paper_fleet import plan, planned
from tests.unit.fleet.rollouts.test_admission import manifest

if TYPE_CHECKING:
    from pathlib import Path


def report(**more: Any) -> Reported:
    values = {"fleet": "demo", "device": "a", "generation": 1, "at": 1, "pipelines": {}, **more}
    return Reported(**values)


def test_a_bundle_with_a_name_that_nobody_can_want_is_not_put_back() -> None:
    serving = Serving(name="../\x1b[2J", version="x" * 200, bundle="0" * 64)
    told = report(pipelines={"door": Standing(state="idle", serving=serving)})
    assert wishes.before(plan(), None, told) == {"door": None}


def test_why_a_device_is_left_out_is_short_and_plain_whatever_it_says() -> None:
    many = {f"{number:02}{'p' * 60}": Standing(state="idle") for number in range(64)}
    odd = report(pipelines={"door": Standing(state="idle")}, arch="\x1b]0;owned\x07")
    wanted = manifest(requires={"arch": ["aarch64"]})
    found = admit(wanted, ["door"], ["a", "b", "c"], {"a": report(pipelines=many), "b": odd}, strict=False)
    assert found.left_out["b"] == "requires: it is for aarch64, and this is \ufffd]0;owned\ufffd"
    kept = Rollout(plan=plan(), sizes=(1,), members={"c": Member(wave=0)}, left_out=found.left_out)
    assert Rollout.model_validate_json(kept.model_dump_json()) == kept


def test_a_generation_after_which_none_can_come_does_not_count() -> None:
    most = reports.encode(report().model_copy(update={"generation": (1 << 53) - 1}), None)
    with pytest.raises(MessageInvalid, match="generation: Input should be less than or equal"):
        reports.decode(most, None, fleet="demo", device="a")


def test_a_rollout_says_why_what_came_in_a_devices_name_does_not_count() -> None:
    course = Course(planned(plan(), ["a"]), lambda: 1.0)
    course.begin()
    course.sent("a", 4)
    course.turn(0.0, View({}, {}, (), {"a": "nobody has signed it"}))
    said = "nothing is heard of it; what came in its name does not count: nobody has signed it"
    assert course.members["a"].reason == said


def test_a_rollout_of_any_name_keeps_nobody_from_planning_another(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    with locked(shelf.lock("all")):
        planning = threading.Thread(target=lambda: locked(shelf.lock(""), wait=True).__enter__(), daemon=True)
        planning.start()
        planning.join(5)
        assert not planning.is_alive()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "rollouts").write_text("not a folder")
    with pytest.raises(AgentError, match=r"write rollout in .*rollouts: "):
        Shelf(tmp_path).lock("one")
