"""The link against bytes that no broker should send: its thread lives on, and it comes back."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from agent.errors import LinkLost
from agent.events import Event, counters
from agent.link import sockets
from agent.link.mqtt import Link
from agent.link.settings import LinkDown, LinkMessage, LinkPublished, LinkUp
from tests.simulators.certificates import self_signed
from tests.simulators.ear import Ear
from tests.simulators.hostile_broker import CONNECT, PUBACK, HostileBroker, Packet, length, publish
from tests.simulators.links import link_to

if TYPE_CHECKING:
    from pathlib import Path

    from agent.link.versions import Choice

HOSTILE = {
    "invalid utf-8 topic": publish(b"\xff\xfe\xc3\x28", b"{}"),
    "invalid utf-8 topic at qos 1": publish(b"\xff\xfe\xc3\x28", b"{}", qos=1),
    "empty topic": publish(b"", b"{}"),
    "topic with NUL": publish(b"a\0b", b"{}"),
    "short publish": bytes([0x30, 1, 0]),
    "topic longer than the packet": bytes([0x30, 4]) + b"\xff\xffab",
    "qos 3": bytes([0x36, 4]) + b"\0\1a\0",
    "qos 2 nobody asked for": publish(b"a", b"{}", qos=2),
    "puback of nothing": bytes([0x40, 2, 0x12, 0x34]),
    "short puback": bytes([0x40, 1, 0]),
    "empty puback": bytes([0x40, 0]),
    "empty suback": bytes([0x90, 0]),
    "suback of nothing": bytes([0x90, 3, 0, 9, 0x80]),
    "suback with an odd code": bytes([0x90, 3, 0, 1, 0x55]),
    "pubrec of nothing": bytes([0x50, 2, 0, 9]),
    "pubrel of nothing": bytes([0x62, 2, 0, 9]),
    "second connack": bytes([0x20, 2, 0, 0]),
    "second connack, refusing": bytes([0x20, 2, 0, 5]),
    "short connack": bytes([0x20, 0]),
    "reserved type 0": bytes([0x00, 0]),
    "reserved type 15": bytes([0xF0, 0]),
    "a client's packet": bytes([0x10, 0]),
    "endless length": bytes([0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]),
    "pingresp with a body": bytes([0xD0, 2, 1, 1]),
    "disconnect": bytes([0xE0, 0]),
    "disconnect with an odd reason": bytes([0xE0, 1, 0x77]),
}


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_bytes_neither_end_the_thread_nor_the_service(case: str, protocol: Choice) -> None:
    ear = Ear()
    with HostileBroker() as broker, link_to(broker.port, ear, protocol=protocol) as link:
        ear.wait(LinkUp)
        broker.send(HOSTILE[case])
        give_up = time.monotonic() + 30
        while True:  # on this connection, or on the next one
            try:
                link.publish("up/still-there", b"")
                ear.wait(LinkPublished, 0.15)
                break
            except (LinkLost, AssertionError):
                assert time.monotonic() < give_up
                time.sleep(0.01)
        assert link.alive


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_topic_that_is_not_utf_8_costs_that_message_only(protocol: Choice) -> None:
    ear = Ear()
    before = counters[Event.MESSAGE_REFUSED.value]
    with HostileBroker() as broker, link_to(broker.port, ear, protocol=protocol):
        ear.wait(LinkUp)
        five = protocol == "5"
        broker.send(publish(b"\xff\xfe\xc3\x28", b"bad", qos=1, mid=7, five=five))
        broker.send(publish(b"down/good", b"good", qos=1, mid=8, five=five))
        assert ear.wait(LinkMessage) == LinkMessage("down/good", b"good", retain=False, receipt=(1, 8))
        assert len(broker.seen(CONNECT)) == 1
    assert counters[Event.MESSAGE_REFUSED.value] == before + 1


def test_an_error_inside_paho_costs_the_connection_and_not_the_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ear = Ear()
    before = counters[Event.MESSAGE_REFUSED.value]
    with HostileBroker() as broker, link_to(broker.port, ear):
        ear.wait(LinkUp)
        with monkeypatch.context() as patch:
            patch.setattr("paho.mqtt.client.Client.loop_read", lambda _: int("a bug in paho"))
            broker.send(publish(b"down/any", b""))
            assert "a bug in paho" in ear.wait(LinkDown).reason
        ear.wait(LinkUp)
    assert counters[Event.MESSAGE_REFUSED.value] > before


PACKETS = f"{Event.MESSAGE_REFUSED.value}/packet"


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_packet_above_the_limit_costs_the_connection_before_its_body_is_read(
    protocol: Choice, tls: bool, tmp_path: Path
) -> None:
    ear = Ear()
    files = self_signed(tmp_path) if tls else None
    secure = {"tls": True, "ca_file": str(files[0]), "host": "localhost"} if files else {}
    before = counters[PACKETS]
    with (
        HostileBroker(tls=files) as broker,
        link_to(broker.port, ear, protocol=protocol, max_packet_in=5000, **secure),
    ):
        ear.wait(LinkUp)
        broker.send(b"\x30" + length(200_000_000))
        down = ear.wait(LinkDown)
        assert down.reason == (
            "the broker does what it may not: it began a packet of 200000000 bytes, and 5000 is the most"
        )
        ear.wait(LinkUp)
        assert len(broker.seen(CONNECT)) == 2
    assert counters[PACKETS] == before + 1


def test_properties_that_would_keep_paho_busy_for_half_a_minute_are_refused_at_once() -> None:
    ear = Ear()
    properties = b"\x26\0\0\0\0" * 40_000
    with HostileBroker() as broker, link_to(broker.port, ear, protocol="5"):
        ear.wait(LinkUp)
        broker.send(publish(b"down/a", length(len(properties)) + properties, qos=1)[:5000])
        assert "bytes of properties" in ear.wait(LinkDown, 15).reason
        ear.wait(LinkUp)


@pytest.mark.parametrize("manual_ack", [False, True])
def test_a_broker_that_sends_and_never_reads_is_left(
    manual_ack: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear, enough, links = Ear(), threading.Event(), list[Link]()
    hear = ear.post

    def settling(event: object) -> None:
        if isinstance(event, LinkMessage):
            links[0].settle(event)
        else:
            hear(event)

    ear.post = settling

    def deaf(_: Packet) -> bytes:
        enough.wait(30)
        return b""

    def narrow(client: Any, data: object, sock: socket.socket) -> None:
        tune(client, data, sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)  # else the kernel keeps a million of them

    tune = sockets.tune
    monkeypatch.setattr(sockets, "tune", narrow)
    flood = publish(b"down/a", b"x", qos=1) * 1000

    def endless(broker: HostileBroker) -> None:
        for _ in range(1000):  # a million confirmations, if it were for paho
            broker.send(flood)

    with (
        HostileBroker({PUBACK: deaf}, buffer=4096) as broker,
        link_to(broker.port, ear, manual_ack=manual_ack) as link,
    ):
        links.append(link)
        ear.wait(LinkUp)
        before = counters[PACKETS]
        with pytest.raises(OSError, match=r"reset|pipe"):
            endless(broker)
        enough.set()
        assert "reads none of our confirmations" in ear.wait(LinkDown).reason
        assert counters[PACKETS] == before + 1
        ear.wait(LinkUp)
