"""The way to wanted settings: waiting, probation, in force or taken back, whenever the agent dies."""

from __future__ import annotations

from typing import Any

import pytest

from agent.configuring.course import MOST_STRIKES
from tests.simulators.settings_world import SettingsWorld

RATE: dict[str, Any] = {"log.level": "debug"}


@pytest.fixture
def world() -> SettingsWorld:
    return SettingsWorld()


def test_settings_come_into_force_through_a_life_on_probation_and_one_note_says_so(
    world: SettingsWorld,
) -> None:
    world.desire(3, **RATE)
    assert world.state == "waiting"
    world.settle()
    assert (world.state, world.active.values, world.lives) == ("active", RATE, [{}, RATE])
    assert world.notes == [("settings.activated", "generation 3")]
    told = world.course.standing()
    assert (told.state, told.generation, told.overrides) == ("active", 3, ("log.level",))


def test_settings_that_fail_are_taken_back_and_tried_again_only_for_a_newer_generation(
    world: SettingsWorld,
) -> None:
    world.desire(3, **RATE)
    world.settle()
    world.desire(4, **{"log.level": "error"})
    world.settle(well=False)
    assert (world.state, world.active.values, world.lives[-1]) == ("rolled_back", RATE, RATE)
    assert "nothing runs" in world.course.standing().reason
    lives = len(world.lives)
    world.die()
    world.settle()
    assert (world.state, world.lives[lives:]) == ("rolled_back", [RATE])
    world.desire(5, **{"log.level": "error"})
    world.settle()
    assert (world.state, world.active.generation) == ("active", 5)


def test_refused_settings_never_run(world: SettingsWorld) -> None:
    world.desire(3, **RATE)
    world.course.refused("log.level: no", world.now)
    world.settle()
    assert (world.state, world.lives, world.course.standing().reason) == ("rejected", [{}], "log.level: no")


def test_nothing_begins_before_it_is_written_that_it_does(world: SettingsWorld) -> None:
    world.desire(3, **RATE)
    world.write_all()
    world.wait(1.0)
    assert world.course.target is None
    world.write_all()
    assert world.course.target is not None
    assert world.pending.candidate.risky == "boot-1"


@pytest.mark.parametrize("reboot", [True, False])
def test_a_death_on_probation_is_a_strike_and_the_third_rejects(
    world: SettingsWorld, *, reboot: bool
) -> None:
    world.desire(3, **RATE)
    for strike in range(1, MOST_STRIKES + 1):
        while not world.course.on_trial:
            world.write_all()
            if not world.go():
                world.wait(100.0)
        world.die(reboot=reboot)
        assert world.lives[-1] == {}  # what is not active never boots
        assert world.course.standing().strikes in {strike, 0}
    world.settle()
    assert world.state == "rejected"
    assert world.course.standing().reason.startswith(f"strikes: {MOST_STRIKES}")
    assert [kind for kind, _ in world.notes] == ["settings.rejected"]


def test_an_end_in_good_order_on_probation_is_no_strike(world: SettingsWorld) -> None:
    world.desire(3, **RATE)
    while not world.course.on_trial:
        world.write_all()
        if not world.go():
            world.wait(1.0)
    world.end()
    assert (world.state, world.course.standing().strikes, world.lives[-1]) == ("waiting", 0, {})
    world.settle()
    assert world.state == "active"


def test_a_newer_generation_supersedes_one_on_probation_and_no_settings_end_it(world: SettingsWorld) -> None:
    world.desire(3, **RATE)
    while not world.course.on_trial:
        world.write_all()
        if not world.go():
            world.wait(1.0)
    world.desire(4)
    world.settle()
    assert (world.state, world.lives) == ("idle", [{}, RATE, {}])


def test_the_same_settings_under_a_newer_generation_disturb_nothing(world: SettingsWorld) -> None:
    world.desire(3, **RATE)
    world.settle()
    world.desire(4, **RATE)
    world.settle()
    assert (world.active.generation, world.lives, world.state) == (4, [{}, RATE], "active")


def test_a_deadline_that_has_passed_is_told(world: SettingsWorld) -> None:
    world.desire(3, **RATE)
    world.course.tick(world.now + 999)
    assert not world.course.standing().overdue
    world.course.tick(world.now + 1001)
    assert world.course.standing().overdue


def test_a_commands_settings_lie_over_the_desired_ones_and_end_with_their_time(world: SettingsWorld) -> None:
    world.desire(3, **RATE)
    world.settle()
    world.order("one", 500.0, **{"log.level": "error"})
    assert world.course.hasty
    world.settle()
    assert (world.active.values, world.active.order) == ({"log.level": "error"}, "one")
    lives = len(world.lives)
    world.wait(600.0)
    world.settle(well=False)  # nothing is tried: what was in force before is again
    assert world.lives[lives:] == [RATE]
    assert (world.active.values, world.state, world.course.wanted.order) == (RATE, "active", "")


def test_a_commands_timed_settings_end_with_the_boot_and_others_only_with_the_next(
    world: SettingsWorld,
) -> None:
    world.order("one", 5e6, **RATE)
    world.settle()
    world.die()
    assert world.lives[-1] == RATE
    world.die(reboot=True)
    assert world.lives[-1] == {}
    world.order("two", **RATE)
    world.settle()
    world.die(reboot=True)
    assert world.lives[-1] == RATE
    world.desire(3)
    world.settle()
    assert (world.active.values, world.state) == ({}, "idle")


def test_a_commands_settings_that_fail_blame_no_generation(world: SettingsWorld) -> None:
    world.desire(3, **RATE)
    world.settle()
    world.order("one", 0.0, **{"log.level": "error"})
    world.settle(well=False)
    assert (world.state, world.active.values, world.course.last_failed) == ("active", RATE, "one")
    assert world.lives[-1] == RATE
    world.die()
    assert (world.course.last_failed, world.course.wanted.order) == ("one", "")


def test_a_life_that_could_not_begin_takes_the_settings_back(world: SettingsWorld) -> None:
    world.desire(3, **RATE)
    world.write_all()
    world.wait(1.0)
    world.write_all()
    assert world.course.armed
    world.live(failed="no such key file")
    world.settle()
    assert (world.state, world.lives[-1]) == ("rolled_back", {})


def test_a_file_that_is_read_anew_gives_refused_settings_another_chance(world: SettingsWorld) -> None:
    world.desire(3, **RATE)
    world.course.refused("no", world.now)
    world.settle()
    world.course.pardon(world.now)
    world.settle()
    assert (world.state, world.active.values) == ("active", RATE)
