"""Commands that wait for the maintenance window: begun in it, told of meanwhile, over with their time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.commands import reboot, update
from agent.documents.keys import decode as read_keys
from tests.simulators.commander import Key, keys_document, order, signed
from tests.simulators.dispatch_world import CONTROL, Authority, World

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOSED = "it waits for the maintenance window"


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    made.connect()
    made.window = CLOSED
    yield made
    made.close()


def send(world: World, **args: Any) -> str:
    now = world.clock.wall // 10**9
    command = order("careful", issued=now, expires=now + 600, args=args)
    world.deliver(signed(command, CONTROL))
    for _ in range(20):
        world.write()
    return command.id


def held(world: World) -> list[tuple[str, str]]:
    return [(one["id"], one["waits"]) for one in world.dispatch.held]


def test_one_that_asks_for_the_window_waits_for_it_says_so_and_keeps_no_other_from_its_turn(
    world: World,
) -> None:
    waits, hasty = send(world, window=True), send(world)
    assert [(one.state, one.reason) for one in world.outcomes] == [("accepted", CLOSED), ("accepted", "")]
    assert held(world) == [(waits, CLOSED)]
    world.calm()
    assert world.doing.done == [(hasty, "run")]
    world.window = ""
    assert held(world) == []
    world.calm()
    assert [one.state for one in world.last_words(waits)] == ["done"]


def test_one_that_waits_outlives_ends_of_the_agent_and_whoever_sends_it_again_hears_for_what(
    world: World,
) -> None:
    waits = send(world, window=True)
    world.crash()
    for _ in range(3):
        world.restart()
    world.crash()
    world.connect()
    assert (held(world), world.doing.done) == ([(waits, CLOSED)], [])
    assert world.dispatch._inbox.get(waits).attempts == 0  # type: ignore[union-attr]
    world.window = ""
    world.calm()
    assert world.doing.done == [(waits, "run")]


def test_what_has_begun_in_the_window_is_brought_to_its_end_when_that_is_over(world: World) -> None:
    world.window = ""
    begun = send(world, window=True)
    world.window = CLOSED
    world.restart()
    assert held(world) == []
    world.calm()
    assert [one.state for one in world.last_words(begun)] == ["done"]
    assert world.doing.done == [(begun, "run"), (begun, "resume")]


def test_one_whose_time_is_over_before_the_window_opens_is_refused_in_words(world: World) -> None:
    late = send(world, window=True)
    world.clock.tick(600)
    world.calm()
    [outcome] = world.last_words(late)
    assert (outcome.state, outcome.refusal) == ("refused", "expired")
    assert outcome.reason == f"its time was over before its turn came: {CLOSED}"
    assert world.doing.done == []


def test_one_that_waits_of_a_key_that_lost_its_right_is_refused_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = send(world, window=True)
    monkeypatch.setattr(Authority, "keys", read_keys(keys_document(Key("command"))))
    world.calm()
    assert [one.refusal for one in world.last_words(waits)] == ["scope"]


def test_on_this_machine_it_is_told_for_what_a_command_waits(world: World) -> None:
    asked = {"op": "command", "command": "careful", "args": {"window": True}}
    identity = world.dispatch.answers["command"](asked)["id"]
    look = {"op": "outcome", "id": identity}
    world.calm()
    found = world.dispatch.answers["outcome"](look)
    assert found == {"id": identity, "state": "waiting", "waits": CLOSED, "outcome": None}
    world.window = ""
    world.calm()
    found = world.dispatch.answers["outcome"](look)
    assert (found["state"], found["waits"], found["outcome"]["state"]) == ("settled", "", "done")


def test_a_reboot_and_an_update_may_wait_and_do_not_by_themselves() -> None:
    assert not reboot.Args().window
    assert not update.Args(version="1.4.0").window
    assert update.Args(version="1.4.0", window=True).window
