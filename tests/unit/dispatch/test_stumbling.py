"""A fault of our own while a command is looked at costs that command, and not the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.events import counters
from tests.simulators.commander import order, signed
from tests.simulators.dispatch_world import CONTROL, World

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    made.connect()
    yield made
    made.close()


def send(world: World, op: str, **changes: Any) -> str:
    now = world.clock.wall // 10**9
    command = order(op, **({"issued": now, "expires": now + 600} | changes))
    world.deliver(signed(command, CONTROL))
    return command.id


def test_a_message_that_the_agent_stumbles_over_is_confirmed_and_the_next_one_is_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbles(*_: object) -> None:
        raise TypeError("a fault of our own")

    before = counters["command.refused/format"]
    with monkeypatch.context() as patched:
        patched.setattr("agent.dispatch.admission.judge", stumbles)
        lost = send(world, "quick")
    assert not world.unconfirmed
    assert counters["command.refused/format"] == before + 1
    identity = send(world, "quick")
    world.calm()
    assert world.last_words(lost) == []
    assert [one.state for one in world.last_words(identity)] == ["done"]
