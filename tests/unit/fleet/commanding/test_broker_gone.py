"""A broker that goes away while devices are waited for takes away nothing that they have said."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from agent.documents import outcome as outcomes
from agent.documents.outcome import Outcome
from agent.errors import LinkLost
from agent.fleet import inventory
from agent.fleet.commanding import commander as module
from agent.fleet.commanding.commander import Commander, Terms, Whom
from agent.fleet.inventory import Entry
from agent.link.settings import LinkMessage, LinkSettings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class Talk:
    """Takes one command, passes on the answer of one device, and is gone."""

    up = True

    def __init__(self, *_: Any) -> None:
        self.sent: list[bytes] = []
        self.answers: list[LinkMessage] = []

    def send(self, messages: Any, *_: Any, **__: Any) -> None:
        if self.sent:
            raise LinkLost("reach", "broker b", "it does not answer")
        self.sent = [make() for _, make in messages]
        identity = json.loads(_payload(self.sent[0]))["id"]
        done = Outcome(fleet="f", device="a", id=identity, op="ping", state="done", at=1)
        self.answers.append(LinkMessage("edge/v1/f/d/a/up/res", outcomes.encode(done, None), retain=False))

    def next(self, _: float) -> LinkMessage | None:
        return self.answers.pop() if self.answers else None


def _payload(envelope: bytes) -> bytes:

    return base64.b64decode(json.loads(envelope)["payload"])


def test_what_devices_have_answered_is_told_when_the_broker_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "Talk", Talk)
    monkeypatch.setattr(module, "_AGAIN_S", 0.01)
    (tmp_path / "devices").mkdir()
    for name in ("a", "b"):
        inventory.keep(tmp_path, Entry(name=name))
    commander = Commander(tmp_path, "f", LinkSettings("b", 1, "c"), str, unsigned=True)
    found = commander.give("ping", {}, Whom(everyone=True), Terms(timeout_s=30.0, bare=True))
    assert [(one.device, one.state) for one in found] == [("a", "done"), ("b", "silent")]
    assert "WARNING: reach broker b: it does not answer" in capsys.readouterr().err
