"""Devices take part in a rollout where nothing that they say of themselves speaks against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.documents.reported import Board, Reported, Standing
from agent.errors import ConfigInvalid
from agent.fleet.rollouts.admission import admit, unfit
from agent.fleet.rollouts.planning import planned
from agent.fleet.rollouts.seams import View
from agent.manifest import Manifest, entry
from tests.simulators.paper_fleet import PaperFleet, plan

if TYPE_CHECKING:
    from collections.abc import Mapping

DOOR = {"door": Standing(state="idle")}


def manifest(**more: Any) -> Manifest:
    content = b"0" * (3 << 20)
    fields: Mapping[str, Any] = {
        "schema": 2,
        "name": "shapes",
        "version": "1.1.0",
        "task": "classification",
        "license": "MIT",
        "files": (entry("m.tflite", content),),
        "model": "m.tflite",
        **more,
    }
    return Manifest.model_validate(fields)


def report(board: Board | None = None, **more: Any) -> Reported:
    values = {"fleet": "demo", "device": "a", "generation": 1, "at": 1, "pipelines": DOOR, **more}
    return Reported(board=board, **values)


@pytest.mark.parametrize(
    ("wants", "has", "reason"),
    [
        ({}, {}, ""),
        ({}, {"pipelines": {"yard": Standing(state="idle")}}, "it has no pipeline door, but: yard"),
        ({"requires": {"arch": ["aarch64"]}}, {"arch": "armv7l"}, "it is for aarch64, and this is armv7l"),
        ({"requires": {"arch": ["aarch64"]}}, {}, ""),
        ({"requires": {"agent": "0.9"}}, {"agent": "0.2.0"}, "agent 0.9 is required, and this is 0.2.0"),
        ({"requires": {"ram_mb": 1000}}, {"board": Board(ram_mb=512)}, "1000 MB of memory are required"),
        ({"requires": {"ram_mb": 1000}}, {"board": Board()}, ""),
        ({"budget": {"rss_mb": 90}}, {"board": Board(budget_mb=64)}, "the model takes 90 MB, and models may"),
        ({}, {"board": Board(disk_mb=2)}, "its 3 MB do not fit into the 2 that are free"),
    ],
)
def test_a_board_that_cannot_hold_the_model_says_why(wants: Any, has: Any, reason: str) -> None:
    found = unfit(manifest(**wants), ["door"], report(**has))
    assert reason in found
    assert bool(found) == bool(reason)


def test_who_has_reported_nothing_takes_part_unless_that_is_to_be_known() -> None:
    reports = {"a": report()}
    loose = admit(manifest(), ["door"], ["a", "b"], reports, strict=False)
    assert (loose.devices, loose.unknown) == (("a", "b"), ("b",))
    strict = admit(manifest(), ["door"], ["a", "b"], reports, strict=True)
    assert strict.left_out == {"b": "it has reported nothing"}


def test_a_plan_without_devices_is_refused_and_the_first_wave_is_online() -> None:
    wanted = plan(waves=("1", "100%"))
    with pytest.raises(
        ConfigInvalid, match="1 of 1 devices cannot take part; a: requires: it is for riscv64"
    ):
        planned(
            wanted,
            manifest(requires={"arch": ["riscv64"]}),
            ["a"],
            View({"a": report(arch="armv7l")}, {}, ()),
            strict=False,
        )
    fleet = PaperFleet({"a": "offline", "b": "offline", "c": "good", "d": "offline"})
    found = planned(wanted, manifest(), list(fleet.devices), fleet.view, strict=False)
    assert [name for name, one in found.members.items() if one.wave == 0] == ["c"]
