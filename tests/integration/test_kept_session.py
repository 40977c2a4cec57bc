"""The broker keeps a device's session: what is sent while it is away waits, until it is settled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

import pytest

from agent.cli.device.settings import Loaded
from agent.clock import SystemClock
from agent.events import counters
from agent.link import topics
from agent.link.connection import LinkState
from agent.link.settings import LinkMessage, LinkSettings, LinkUp, Message
from agent.store.thread import Store
from agent.uplink.uplink import Uplink
from tests.simulators.ear import Ear
from tests.simulators.retained import send

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker

CONFIG = """\
[device]
id = "gate"
groups = [{groups}]
[mqtt]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"
session_h = {session_h}
[trust]
unsigned = true
[store]
path = "{folder}/data"
[[pipelines]]
name = "door"
model = "glyphs"
source = {{ kind = "synthetic" }}
"""
COMMANDS = topics.down_cmd("default", "gate")


class Visit:
    """A device that is there for a while; a context manager."""

    def __init__(
        self, folder: Path, broker: Broker, protocol: str, groups: str = "", session_h: float = 1
    ) -> None:
        text = CONFIG.format(
            port=broker.port, protocol=protocol, folder=folder, groups=groups, session_h=session_h
        )
        (folder / "agent.toml").write_text(text)
        plan = Loaded(folder / "agent.toml").plan()
        self.ear = Ear()
        self.store = Store(folder / "data", lambda _: None, clock=SystemClock())
        self.uplink = Uplink(plan, self.store, self.ear.post)

    def __enter__(self) -> Self:
        self.store.start()
        self.uplink.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.uplink.close()
        self.store.close(5)

    def settle(self, message: LinkMessage) -> None:
        """Confirm one; that goes out once the subscriptions are granted."""
        give_up = time.monotonic() + 60
        while self.uplink.status()["state"] != LinkState.ONLINE.value and time.monotonic() < give_up:
            time.sleep(0.01)
        self.uplink.settle(message)

    def message(self) -> LinkMessage:
        """Wait for the next one, as the supervisor takes it."""
        found = self.ear.wait(LinkMessage)
        self.uplink.take(found, 0.0)
        return found


@pytest.mark.mosquitto
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_came_while_the_device_was_away_is_kept_for_it(
    tmp_path: Path, broker: Broker, protocol: str
) -> None:
    (tmp_path / "data").mkdir()
    group = topics.group_cmd("default", "old")
    operator = LinkSettings("127.0.0.1", broker.port, "operator")
    with Visit(tmp_path, broker, protocol, '"old"') as visit:
        visit.ear.wait(LinkUp)
    send(operator, [Message(COMMANDS, b"one"), Message(COMMANDS, b"two"), Message(group, b"left")])
    refused = counters["message.refused/topic"]
    with Visit(tmp_path, broker, protocol) as visit:
        first, second = visit.message(), visit.message()
        assert (first.payload, second.payload) == (b"one", b"two")
        visit.settle(first)
    assert counters["message.refused/topic"] == refused + 1
    with Visit(tmp_path, broker, protocol) as visit:
        assert visit.message().payload == b"two"
    assert counters["message.refused/topic"] == refused + 1


@pytest.mark.mosquitto
def test_without_hours_for_its_session_nothing_is_kept(tmp_path: Path, broker: Broker) -> None:
    (tmp_path / "data").mkdir()
    with Visit(tmp_path, broker, "5", session_h=0) as visit:
        visit.ear.wait(LinkUp)
    send(LinkSettings("127.0.0.1", broker.port, "operator"), [Message(COMMANDS, b"one")])
    with Visit(tmp_path, broker, "5", session_h=0) as visit:
        visit.ear.wait(LinkUp)
        assert visit.ear.silent(LinkMessage, 0.2)
