"""edgectl logs against a real broker, and a device that sends lines on demand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from agent.documents import loglines
from agent.documents.loglines import Line, LogLines
from agent.fleet.keys import make_keys
from agent.fleet.looking import tail as tails
from agent.link import topics
from agent.trust.signing import Signer, generate
from tests.simulators.commanded_device import FLEET, CommandedDevice, commanded, silent

if TYPE_CHECKING:
    from agent.demo.broker import Broker
    from agent.documents.command import Command
    from tests.simulators.edgectl import Edgectl

pytestmark = pytest.mark.mosquitto
DEMO = ("--fleet", FLEET)


def say(device: CommandedDevice, n: int, *texts: str, signer: Signer | None = None, dropped: int = 0) -> None:
    lines = tuple(Line(level="warning", text=text) for text in texts)
    found = LogLines(fleet=FLEET, device=device.name, n=n, at=1, lines=lines, dropped=dropped)
    payload = loglines.encode(found, signer or device.signer)
    device.link.publish(topics.up_logs(FLEET, device.name), payload)


def talkative(device: CommandedDevice, command: Command) -> None:
    """Send lines beside the answer, and refuse to go on at the second time."""
    if len(device.heard) > 1:
        device.answer(command, "refused", refusal="local", reason="enough")
        return
    say(device, 1, "came first")
    device.answer(command, "done", result={"lines": ["old\x1b[2J"], "left_out": 0})
    say(device, 3, "came later", dropped=2)
    say(device, 4, "a lie", signer=Signer.from_pem(generate()[0]))


@pytest.fixture
def fleet(edgectl: Edgectl) -> Edgectl:
    make_keys(edgectl.folder, ["gate-1"])
    return edgectl


def test_the_newest_lines_are_shown_and_none_steers_the_terminal(
    broker: Broker, fleet: Edgectl, capsys: pytest.CaptureFixture[str]
) -> None:
    with commanded(broker.port, fleet.folder, "gate-1", answers=talkative) as (device,):
        assert fleet.code("logs", "gate-1", "-n", "7", "--level", "warning", *DEMO) == 0
        assert capsys.readouterr().out == "old\N{REPLACEMENT CHARACTER}[2J\n"
        assert fleet.code("logs", "gate-1", *DEMO) == 1
    assert capsys.readouterr().err == "edgectl: gate-1: refused: local: enough\n"
    assert len(device.heard) == 2


def test_lines_that_come_are_shown_in_order_and_what_is_missing_or_false_is_told(
    broker: Broker, fleet: Edgectl, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, "_RENEW_S", 0.5)
    monkeypatch.setattr(tails, "_HEAR_S", 0.5)
    with commanded(broker.port, fleet.folder, "gate-1", answers=talkative):
        assert fleet.code("logs", "gate-1", "-f", "--json", *DEMO) == 1
    told = capsys.readouterr()
    assert [json.loads(line) for line in told.out.splitlines()] == [
        {"text": "old\x1b[2J"},
        {"text": "came first", "level": "warning"},
        {"text": "came later", "level": "warning"},
    ]
    assert told.err.splitlines() == [
        "edgectl: gate-1: 1 messages with lines were lost on the way",
        "edgectl: gate-1: the device has left out 2 lines: there were too many",
        "edgectl: gate-1: lines came that do not count: it is not signed with the key "
        + Signer.from_pem((fleet.folder / "devices/gate-1.key").read_bytes()).key_id,
        "edgectl: gate-1: refused: local: enough",
    ]


def test_an_end_by_hand_is_no_failure(
    broker: Broker, fleet: Edgectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tails, "follow", ended)
    with commanded(broker.port, fleet.folder, "gate-1", answers=silent):
        assert fleet.code("logs", "gate-1", "-f", *DEMO) == 0
