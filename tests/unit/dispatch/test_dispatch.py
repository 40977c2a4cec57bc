"""What becomes of commands on a device whose disk, link and operator the test holds in its hands."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from agent.commands.status import MOST, fitted
from agent.dispatch.outcomes import MOST_RESULT, Outcomes
from agent.documents.keys import decode as read_keys
from agent.errors import MessageInvalid, StoreBusy
from agent.events import counters
from agent.link.settings import LinkPublished
from tests.simulators.clocks import ManualClock
from tests.simulators.commander import Key, keys_document, order, signed
from tests.simulators.dispatch_world import CONTROL, OTHER, Authority, World

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    made.connect()
    yield made
    made.close()


def send(world: World, op: str, key: Key = CONTROL, **changes: Any) -> str:
    now = world.clock.wall // 10**9
    command = order(op, **({"issued": now, "expires": now + 600} | changes))
    world.deliver(signed(command, key))
    return command.id


def states(world: World) -> dict[str, str]:
    return {row.id: row.state for row in world.disk.kept.commands}


def test_one_that_the_agent_dies_of_twice_is_given_up(world: World) -> None:
    identity = send(world, "long")
    for _ in range(2):
        world.write()
        world.write()
        world.crash()
    world.calm()
    [outcome] = world.last_words(identity)
    assert (outcome.state, outcome.refusal) == ("failed", "quarantined")
    assert world.doing.done == [(identity, "run"), (identity, "resume")]


def test_an_end_in_good_order_is_no_crash(world: World) -> None:
    identity = send(world, "long")
    for _ in range(4):
        world.write()
        world.write()
        world.restart()
    world.calm()
    assert [one.state for one in world.last_words(identity)] == ["done"]


def test_what_comes_while_the_agent_ends_waits_at_the_broker(world: World) -> None:
    world.dispatch.stop()
    identity = send(world, "quick")
    assert len(world.unconfirmed) == 1
    world.crash()
    world.calm()
    assert [one.state for one in world.last_words(identity)] == ["done"]


def test_an_outcome_is_told_again_on_each_link_until_the_broker_has_it(world: World) -> None:
    identity = send(world, "quick")
    while world.disk.asked:
        world.write()
    for told in (1, 2, 3):
        assert len(world.last_words(identity)) == told
        world.disconnect()
        world.connect()
    world.puback()
    world.write()
    told = len(world.last_words(identity))
    world.disconnect()
    world.connect()
    assert len(world.last_words(identity)) == told


def test_an_outcome_that_the_broker_refuses_waits_for_the_next_link(world: World) -> None:
    identity = send(world, "quick")
    while world.disk.asked:
        world.write()
    world.take(LinkPublished(world._flying.pop(), "not authorized"))
    for _ in range(5):
        world.dispatch.tick(world.clock.now)
    assert len(world.last_words(identity)) == 1
    world.disconnect()
    world.connect()
    assert len(world.last_words(identity)) == 2


def test_an_outcome_that_is_too_large_for_the_broker_is_told_without_its_result_and_holds_up_no_other(
    world: World,
) -> None:
    large, small = send(world, "large"), send(world, "quick")
    world.most = 4096
    world.calm()
    [outcome] = world.last_words(large)
    assert (outcome.state, outcome.result, "no message of this size" in outcome.reason) == ("done", {}, True)
    assert [one.state for one in world.last_words(small)] == ["done"]
    world.most = 100
    send(world, "quick")
    told = len(world.outcomes)
    world.calm()
    assert len(world.outcomes) == told
    world.most = 4096
    world.calm()
    assert len(world.outcomes) == told + 1


def test_outcomes_that_nobody_takes_are_bounded_and_each_that_goes_is_counted(world: World) -> None:
    world.most = 100
    before = counters["command.unheard"]
    for _ in range(520):
        send(world, "quick")
        while world.disk.asked:
            world.write()
        world.clock.tick(30)
    rows = len(list(world.dispatch._inbox.untold()))
    assert (rows, counters["command.unheard"] - before) == (512, 8)
    world.most = 4096
    world.calm()
    world.calm()
    assert len({one.id for one in world.outcomes}) == 512


def test_while_the_disk_refuses_few_messages_stay_unconfirmed_and_the_rest_is_refused(world: World) -> None:
    sent = [send(world, "quick") for _ in range(20)]
    assert len(world.unconfirmed) == 20
    world.clock.tick(2.0)
    world.dispatch.tick(world.clock.now)
    assert len(world.unconfirmed) == 12
    busy = [one.id for one in world.outcomes if one.refusal == "busy"]
    assert busy == sent[12:]
    world.calm()
    assert not world.unconfirmed
    assert [world.last_words(one)[-1].state for one in sent[:12]] == ["done"] * 12


@pytest.mark.parametrize(("op", "count"), [("quick", 125), ("long", 40)])
def test_who_sends_too_much_keeps_no_other_key_out(world: World, op: str, count: int) -> None:
    for _ in range(count):
        send(world, op)
        while world.disk.asked:
            world.write()
    assert [one.refusal for one in world.outcomes].count("busy") > 0
    other = send(world, "quick", OTHER)
    world.calm()
    assert [one.state for one in world.last_words(other)] == ["done"]


def test_what_answers_at_once_does_not_wait_behind_what_takes_long(world: World) -> None:
    first, second, quick = (send(world, op) for op in ("long", "long", "quick"))
    for _ in range(20):
        world.write()
    assert states(world) == {first: "running", second: "waiting", quick: "settled"}
    world.calm()
    assert set(states(world).values()) == {"settled"}


def test_one_whose_time_is_over_before_its_turn_is_refused(world: World) -> None:
    send(world, "long")
    late = send(world, "long")
    for _ in range(20):
        world.write()
    world.clock.tick(600)
    world.calm()
    [outcome] = world.last_words(late)
    assert (outcome.state, outcome.refusal) == ("refused", "expired")
    assert (late, "run") not in world.doing.done


def test_what_waits_of_a_key_that_lost_its_right_is_not_begun_and_what_has_begun_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, waiting = send(world, "long"), send(world, "long")
    for _ in range(20):
        world.write()
    monkeypatch.setattr(Authority, "keys", read_keys(keys_document(Key("command"))))
    world.calm()
    assert [one.state for one in world.last_words(begun)] == ["done"]
    [outcome] = world.last_words(waiting)
    assert (outcome.state, outcome.refusal) == ("refused", "scope")
    assert (waiting, "run") not in world.doing.done


def test_work_that_goes_on_for_too_long_is_ended_and_has_failed(world: World) -> None:
    identity = send(world, "long")
    world.write()
    world.write()
    world.clock.tick(901)
    world.dispatch.tick(world.clock.now)
    world.calm()
    [outcome] = world.last_words(identity)
    assert outcome.state == "failed"
    assert "900 s" in outcome.reason


def test_another_command_under_a_known_id_is_refused_and_changes_nothing(world: World) -> None:
    identity = send(world, "quick")
    world.calm()
    send(world, "long", id=identity)
    world.calm()
    assert [one.refusal for one in world.last_words(identity)] == [None, "replayed"]
    assert world.doing.done == [(identity, "run")]


def test_a_command_from_this_machine_goes_through_the_same_inbox_and_is_told_nobody(world: World) -> None:
    identity = world.dispatch.answers["command"]({"op": "command", "command": "quick"})["id"]
    look = {"op": "outcome", "id": identity}
    assert world.dispatch.answers["outcome"](look)["state"] == "waiting"
    world.calm()
    found = world.dispatch.answers["outcome"](look)
    assert (found["state"], found["outcome"]["result"]) == ("settled", {"did": identity})
    assert not world.last_words(identity)
    world.crash()
    assert world.dispatch.answers["outcome"](look) == found


def test_while_the_agent_ends_or_the_request_is_wrong_none_is_taken(world: World) -> None:
    command = world.dispatch.answers["command"]
    with pytest.raises(MessageInvalid, match="more"):
        command({"op": "command", "command": "quick", "args": {"more": 1}})
    with pytest.raises(MessageInvalid, match="no such command"):
        world.dispatch.answers["outcome"]({"op": "outcome", "id": "local-unknown"})
    world.dispatch.stop()
    with pytest.raises(StoreBusy, match="the agent is ending"):
        command({"op": "command", "command": "quick"})


def test_a_result_that_no_reader_need_hold_is_left_out_and_that_is_said() -> None:
    outcomes = Outcomes("default", "device", ManualClock())
    deep = outcomes.done("command-1", "status", {"last": json.loads("[" * 150 + "]" * 150)})
    many = outcomes.done("command-1", "status", {str(n): n for n in range(65)})
    assert (deep.state, deep.result, many.state, many.result) == ("done", {}, "done", {})
    assert "nested deeper" in deep.reason
    assert "left out" in many.reason
    assert outcomes.done("command-1", "status", {"a": float("nan")}).result == {"a": None}


def test_a_result_that_is_too_long_is_left_out_and_that_is_said() -> None:
    outcomes = Outcomes("default", "device", ManualClock())
    found = outcomes.done("test-0001", "status", {"text": "x" * MOST_RESULT})
    assert (found.state, found.result) == ("done", {})
    assert "left out" in found.reason


def test_a_long_status_is_cut_to_what_an_outcome_takes_and_says_what_is_missing() -> None:
    pipeline = {"name": "p", "state": "running", "model": "m", "fps": 1, "restarts": 0, "problem": "x" * 2000}
    small = {"version": "1", "device": "d", "uptime_s": 1, "events": {}, "pipelines": [pipeline]}
    assert fitted(small) == small
    large = small | {"events": {"x" * MOST: 1}}
    assert fitted(large) == {key: value for key, value in large.items() if key != "events"} | {
        "left_out": ["events"]
    }
    many = fitted(small | {"pipelines": [pipeline] * 100})
    assert many["left_out"] == ["events", "pipelines"]
    assert len(many["pipelines"]) == 64


def test_one_that_is_played_back_again_and_again_is_answered_so_often_and_confirmed(world: World) -> None:
    now = world.clock.wall // 10**9
    payload = signed(command := order("quick", issued=now, expires=now + 600), CONTROL)
    world.deliver(payload)
    world.calm()
    for _ in range(40):
        world.deliver(payload)
        world.puback()
    assert len(world.last_words(command.id)) == 17
    assert not world.unconfirmed
    assert world.doing.done == [(command.id, "run")]


def test_rows_that_another_release_has_written_end_no_agent(world: World) -> None:
    send(world, "quick")
    send(world, "long")
    for _ in range(4):
        world.write()
    rows = [replace(row, body=b"{}") for row in world.disk.kept.commands]
    rows.append(replace(rows[0], id="test-settled", seq=9, state="settled", outcome=b"{}"))
    world.disk.kept = replace(world.disk.kept, commands=tuple(rows))
    done = list(world.doing.done)
    world.crash()
    world.calm()
    assert set(states(world).values()) == {"settled"}
    assert world.doing.done == done
