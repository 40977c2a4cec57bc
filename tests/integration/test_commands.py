"""Commands over a real broker to a real agent: what is obeyed, what is refused, what is answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agent import __version__
from agent.demo.broker import Broker
from agent.documents.command import KIND, MAX_BYTES
from agent.errors import AgentError
from agent.link import topics
from agent.supervision.control import ask
from agent.trust import dsse
from agent.trust.signing import Signer
from tests.simulators.commander import Key, order, signed
from tests.simulators.commanding import GROUP, Commanding
from tests.simulators.operator import DEVICE, FLEET
from tests.simulators.running_agent import CAMERA, RunningAgent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.mosquitto


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = Broker(tmp_path_factory.mktemp("broker"), kind="mosquitto")
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[Commanding]:
    with Commanding(tmp_path_factory.mktemp("device"), broker.port) as commanding:
        yield commanding


@pytest.fixture(scope="module")
def agent(operator: Commanding, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    folder = next(tmp_path_factory.getbasetemp().glob("device*"))
    with RunningAgent(folder, CAMERA, operator.tables(deny=["rollback"])) as running:
        running.until_inferred()
        operator.until_obeyed()
        yield running
        assert running.end() == 0, running.log


def counted(agent: RunningAgent, event: str) -> int:
    found: int = agent.status()["events"].get(event, 0)
    return found


def done_or_busy(agent: RunningAgent) -> int:
    return counted(agent, "command.done") + counted(agent, "command.refused/busy")


def test_a_restart_is_done_once_and_told_once_and_again_when_it_is_played_back(
    agent: RunningAgent, operator: Commanding
) -> None:
    worker = agent.until_inferred()["pid"]
    command = operator.command("restart", args={"pipeline": "door"})
    outcome = operator.hear(command.id)
    assert (outcome.state, outcome.result) == ("done", {"pipeline": "door"})
    new = agent.until(lambda one: one["state"] == "running" and one["pid"] != worker)["pid"]
    operator.say(signed(command, operator.all))
    assert operator.hear(command.id) == outcome
    assert agent.pipeline()["pid"] == new


def test_a_purge_is_done_by_an_agent_that_takes_models_and_it_goes_on(
    agent: RunningAgent, operator: Commanding
) -> None:
    command = operator.command("purge", args={"what": ["results", "media"]})
    outcome = operator.hear(command.id)
    assert (outcome.state, outcome.result["results"]["records"] > 0) == ("done", True)
    agent.until_inferred(3)


@pytest.mark.parametrize(
    ("audience", "topic"),
    [
        (f"g/{GROUP}", topics.group_cmd(FLEET, GROUP)),
        ("all", topics.all_cmd(FLEET)),
    ],
)
def test_commands_to_a_group_and_to_all_are_obeyed(
    agent: RunningAgent, operator: Commanding, audience: str, topic: str
) -> None:
    command = order("status", audience=audience)
    operator.say(signed(command, operator.all), topic=topic)
    outcome = operator.hear(command.id)
    assert outcome.state == "done"
    assert outcome.result["device"] == DEVICE
    assert agent.status()["link"]["state"] == "online"


def test_each_refusal_is_told_to_whom_a_known_key_has_signed_for(
    agent: RunningAgent, operator: Commanding
) -> None:
    old = operator.command("ping")
    assert operator.hear(old.id).state == "done"
    door: dict[str, Any] = {"args": {"pipeline": "door"}}
    wall = old.issued
    cases = {
        "audience": signed(order("restart", audience="d/other", **door), operator.all),
        "replayed": signed(order("restart", counter=old.counter, **door), operator.all),
        "expired": signed(order("restart", issued=wall - 60, expires=wall - 1, **door), operator.all),
        "clock": signed(order("restart", issued=wall + 3600, expires=wall + 3700, **door), operator.all),
        "scope": signed(order("restart", **door), operator.pings),
        "unknown": signed(order("shell"), operator.all),
        "format": signed(order("restart", args={"pipeline": 7}), operator.all),
        "local": signed(order("rollback", **door), operator.all),
    }
    for refusal, payload in cases.items():
        before = counted(agent, f"command.refused/{refusal}")
        operator.say(payload)
        last = order("ping")
        operator.say(signed(last, operator.all))
        operator.hear(last.id)
        refused = operator.outcomes[-2]
        assert (refused.state, refused.refusal) == ("refused", refusal), refused
        assert refused.reason
        assert counted(agent, f"command.refused/{refusal}") == before + 1
    assert str(operator.outcomes[-1].at)[:5] in next(
        one.reason for one in operator.outcomes if one.refusal == "clock"
    )


def test_what_no_known_key_has_signed_is_counted_and_never_answered(
    agent: RunningAgent, operator: Commanding
) -> None:
    door: dict[str, Any] = {"args": {"pipeline": "door"}}
    stolen = Key("command")
    stolen.signer = Signer.from_pem(operator.operator.repository.keys["online"].private_bytes)
    worker = agent.until_inferred()["pid"]
    bad = [
        signed(order("restart", **door), Key("command")),
        signed(order("restart", **door), stolen),
        signed(order("restart", **door)),
        _bare_with(1 << 64),
        b"\x00" * (MAX_BYTES + 1),
        b"{}",
    ]
    before = {name: counted(agent, f"command.refused/{name}") for name in ("signature", "format")}
    heard = len(operator.outcomes)
    last = order("ping")
    operator.say(*bad, signed(last, operator.all))
    operator.hear(last.id)
    assert [one.id for one in operator.outcomes[heard:]] == [last.id]
    after = {name: counted(agent, f"command.refused/{name}") - n for name, n in before.items()}
    assert after == {"signature": 4, "format": 2}
    assert agent.pipeline()["pid"] == worker


def _bare_with(number: int) -> bytes:
    """A ping that nobody has signed, with an argument; it once ended the agent, at each start anew."""
    text = order("ping").model_dump_json().replace('"args":{}', f'"args":{{"a":{number}}}')
    return dsse.seal(KIND, text.encode())


def test_bare_questions_are_answered_so_often_and_no_more_often(
    agent: RunningAgent, operator: Commanding
) -> None:
    bare = [order("ping") for _ in range(12)]
    operator.say(*(signed(one) for one in bare))
    last = order("ping")
    operator.say(signed(last, operator.all))
    operator.hear(last.id)
    told = [one for one in operator.outcomes if one.id in {ping.id for ping in bare}]
    assert 0 < len(told) < len(bare)
    assert told[0].result == {"device": DEVICE, "version": __version__}
    assert counted(agent, "command.refused/flood") >= len(bare) - len(told)


def test_a_flood_of_commands_does_not_stop_the_link(agent: RunningAgent, operator: Commanding) -> None:
    before = done_or_busy(agent)
    many = [order("ping") for _ in range(60)]
    operator.say(*(signed(one, operator.all) for one in many))
    agent.until(lambda _: done_or_busy(agent) >= before + len(many))
    last = operator.command("status")
    operator.hear(last.id)
    ends = {one.id: one for one in operator.outcomes if one.last}
    assert all(ends[one.id].state == "done" or ends[one.id].refusal == "busy" for one in many)
    print([ends[one.id].refusal for one in many].count("busy"))
    assert agent.status()["link"]["state"] == "online"


def test_the_command_line_has_commands_done_through_the_same_inbox(
    agent: RunningAgent, run: Callable[..., tuple[int, str, str]]
) -> None:
    socket = ("--socket", agent.control)
    code, out, _ = run("command", "ping", *socket, "--json")
    assert (code, json.loads(out)["result"]["version"]) == (0, __version__)
    code, out, _ = run("command", "restart", "pipeline=nowhere", *socket)
    assert code == 1
    assert "no such pipeline" in out
    code, _, err = run("command", "restart", *socket)
    assert code == 1
    assert "pipeline" in err
    code, _, err = run("command", "shell", *socket)
    assert code == 1
    assert "ping, status" in err
    code, out, _ = run("command", "--list")
    assert code == 0
    assert "restart" in out


def test_an_outcome_is_looked_for_by_its_id_alone(agent: RunningAgent) -> None:
    with pytest.raises(AgentError, match="no such command"):
        ask(agent.control, {"op": "outcome", "id": "local-0000"})
    with pytest.raises(AgentError, match="answer"):
        ask(agent.control, {"op": "command", "command": "ping", "more": 1})
