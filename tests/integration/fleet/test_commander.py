"""Commands through a real broker, to devices that answer as the test tells them to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.documents import command as commands
from agent.documents.keys import ControlKey, ControlKeys
from agent.errors import ConfigInvalid, MessageInvalid
from agent.fleet import inventory
from agent.fleet.commanding import commander
from agent.fleet.commanding.commander import Commander, Terms, Whom
from agent.fleet.inventory import Entry
from agent.fleet.repository.repository import opened
from agent.fleet.repository.roles import KEYS
from agent.link import topics
from agent.link.settings import LinkSettings
from agent.trust.signing import Signer, Verifier, generate
from tests.simulators import operators_folder
from tests.simulators.commanded_device import CommandedDevice, commanded, done, silent
from tests.simulators.operating import ask

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker
    from agent.documents.command import Command

pytestmark = pytest.mark.mosquitto


def commander_of(broker: Broker, keys: Path, **more: Any) -> Commander:
    settings = LinkSettings("127.0.0.1", broker.port, "edgectl-test", backoff_base_s=0.05, backoff_cap_s=0.2)
    return Commander(keys, "demo", settings, ask, **more)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def control(keys: Path) -> Signer:
    signer = operators_folder.make(keys, "gate-1", "gate-2", "roof-1")
    for name in ("gate-1", "gate-2"):
        inventory.keep(keys, Entry(name=name, groups=("gates", "all-doors")))
    return signer


def test_a_device_does_what_is_signed_for_it_and_its_word_is_proved(
    broker: Broker, keys: Path, control: Signer
) -> None:
    with commanded(broker.port, keys, "gate-1") as (device,), commander_of(broker, keys) as sender:
        [first] = sender.run("restart", {"pipeline": "door"}, devices=["gate-1"])
        [second] = sender.run("restart", {"pipeline": "door"}, devices=["gate-1"])
    assert (first.device, first.state, first.good) == ("gate-1", "done", True)
    assert first.outcome
    assert first.outcome.result == {"device": "gate-1", "pipeline": "door"}
    assert second.good
    verifiers = [Verifier.from_pem(control.public_pem())]
    [one, two] = [
        commands.decode(payload, verifiers, fleet="demo", audiences=["d/gate-1"])[0]
        for _, payload in device.heard
    ]
    assert one.counter < two.counter
    assert one.id != two.id
    assert one.expires == one.issued + 300


def test_a_group_gets_one_message_and_all_that_belong_to_it_are_waited_for(
    broker: Broker, keys: Path, control: Signer
) -> None:
    with (
        commanded(broker.port, keys, "gate-1", "gate-2", groups=["gates", "all-doors"]) as gates,
        commanded(broker.port, keys, "roof-1") as (roof,),
        commander_of(broker, keys) as sender,
    ):
        found = sender.run("reload", {}, groups=["gates"], devices=["gate-1"])
        assert [(one.device, one.good) for one in found] == [("gate-1", True), ("gate-2", True)]
        assert [len(one.heard) for one in (*gates, roof)] == [1, 1, 0]
        both = sender.run("reload", {}, groups=["gates", "all-doors"], devices=["roof-1"])
        assert all(one.good for one in both)
        everyone = sender.run("reload", {}, everyone=True)
        assert [one.device for one in everyone if one.good] == ["gate-1", "gate-2", "roof-1"]
    assert [[topic for topic, _ in gate.heard] for gate in gates] == [
        [topics.group_cmd("demo", "gates")] * 2 + [topics.all_cmd("demo")]
    ] * 2  # who belongs to both hears it once
    assert [topic for topic, _ in roof.heard] == [topics.down_cmd("demo", "roof-1"), topics.all_cmd("demo")]


def test_the_same_bytes_go_again_to_who_is_silent_and_nothing_to_the_others(
    broker: Broker, keys: Path, control: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commander, "_AGAIN_S", 2.0)  # who is quick has answered by then

    def second_time(device: CommandedDevice, command: Command) -> None:
        if len(device.heard) > 1:
            done(device, command)

    with (
        commanded(broker.port, keys, "gate-1", groups=["gates"]) as (quick,),
        commanded(broker.port, keys, "gate-2", groups=["gates"], answers=second_time) as (slow,),
        commander_of(broker, keys) as sender,
    ):
        found = sender.run("reload", {}, groups=["gates"])
    assert all(one.good for one in found)
    assert len(quick.heard) == 1
    [(first, payload), (second, again)] = slow.heard
    assert payload == again
    assert (first, second) == (topics.group_cmd("demo", "gates"), topics.down_cmd("demo", "gate-2"))


def test_an_answer_that_the_devices_key_has_not_signed_does_not_count(
    broker: Broker, keys: Path, control: Signer
) -> None:
    thief = Signer.from_pem(generate()[0])

    def forged(device: CommandedDevice, command: Command) -> None:
        device.answer(command, "done", thief)
        device.answer(command, "done", device="gate-2")
        device.answer(command, "failed", id="another-command")

    with commanded(broker.port, keys, "gate-1", answers=forged):
        with commander_of(broker, keys) as sender:
            [found] = sender.run("reload", {}, devices=["gate-1"], timeout_s=3)
        assert (found.state, found.good) == ("silent", False)
        assert "does not count" in found.reason
        with commander_of(broker, keys, unsigned=True) as sender:
            [found] = sender.run("reload", {}, devices=["gate-1"])
        assert found.good


def test_who_is_silent_is_named_and_what_was_accepted_is_told(
    broker: Broker, keys: Path, control: Signer
) -> None:
    def slowly(device: CommandedDevice, command: Command) -> None:
        device.answer(command, "accepted")
        device.answer(command, "refused", refusal="local", reason="commands.deny names it")
        device.answer(command, "done")  # after the last word there is none

    seen: list[str] = []
    whom, terms = Whom(["gate-1", "gate-2"]), Terms(timeout_s=3, step=lambda one: seen.append(one.state))
    with commanded(broker.port, keys, "gate-1", answers=slowly), commander_of(broker, keys) as sender:
        one, two = sender.give("reload", {}, whom, terms)
    assert seen == ["accepted", "refused"]
    assert (one.state, one.reason) == ("refused", "local: commands.deny names it")
    assert (two.state, two.reason) == ("silent", "no answer")


def test_only_what_changes_nothing_goes_unsigned(broker: Broker, keys: Path, control: Signer) -> None:
    bare = Terms(bare=True)
    (keys / "control.key").unlink()
    with commanded(broker.port, keys, "gate-1") as (device,), commander_of(broker, keys) as sender:
        assert sender.give("ping", {}, Whom(["gate-1"]), bare)[0].good
        with pytest.raises(MessageInvalid, match="Unsigned may go: ping, status"):
            sender.give("reload", {}, Whom(["gate-1"]), bare)
    assert b'"signatures":[]' in device.heard[0][1]


def test_a_key_that_may_not_give_this_command_is_told_before_anything_is_sent(
    broker: Broker, keys: Path, control: Signer
) -> None:
    with opened(keys, ask) as repository:
        one = ControlKey(pem=control.public_pem().decode(), scopes=("command.ping",))
        repository.set_document(KEYS, ControlKeys(keys=(one,)).model_dump_json().encode())
        repository.commit()
    with commanded(broker.port, keys, "gate-1") as (device,), commander_of(broker, keys) as sender:
        with pytest.raises(ConfigInvalid, match="no device takes its word for reload"):
            sender.run("reload", {}, devices=["gate-1"])
        assert sender.run("ping", {}, devices=["gate-1"])[0].good
    assert len(device.heard) == 1


def test_nobody_is_meant_or_known_is_told(broker: Broker, keys: Path, control: Signer) -> None:
    inventory.keep(keys, Entry(name="roof-1", revoked=True))
    with commander_of(broker, keys) as sender:
        with pytest.raises(ConfigInvalid, match="none is meant"):
            sender.run("ping", {})
        with pytest.raises(ConfigInvalid, match="roof-1: there is none of this name"):
            sender.run("ping", {}, devices=["roof-1"])
        with pytest.raises(MessageInvalid, match="and devices take 32768"):
            sender.run("ping", {"x": "y" * 32768}, devices=["gate-1"])


def test_a_device_that_is_away_gets_it_when_it_comes_and_after_its_expiry_no_more(
    broker: Broker, keys: Path, control: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commander, "_AGAIN_S", 0.1)
    with commander_of(broker, keys) as sender:
        found = sender.run("reload", {}, devices=["gate-1"], timeout_s=0.3)
        assert not found[0].good
        with commanded(broker.port, keys, "gate-1", answers=silent) as (late,):
            sender.run("reload", {}, devices=["gate-1"], timeout_s=1, expires_s=0.05)
    assert len(late.heard) == 1


def test_who_has_begun_is_asked_again_after_the_expiry_and_who_is_silent_is_waited_for_no_more(
    broker: Broker, keys: Path, control: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commander, "_AGAIN_S", 0.4)
    monkeypatch.setattr(commander, "_GRACE_S", 0.5)

    def slowly(device: CommandedDevice, command: Command) -> None:
        device.answer(command, "accepted" if len(device.heard) < 5 else "done")

    with commanded(broker.port, keys, "gate-1", answers=slowly), commander_of(broker, keys) as sender:
        found = sender.run("reload", {}, devices=["gate-1", "gate-2"], timeout_s=60, expires_s=1.0)
    assert [one.state for one in found] == ["done", "silent"]
