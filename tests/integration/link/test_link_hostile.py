"""The link against brokers that misbehave: its thread lives on, and it comes back."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.errors import LinkLost
from agent.events import Event, counters
from agent.link.connection import LinkState
from agent.link.mqtt import Link
from agent.link.settings import LinkDown, LinkMessage, LinkPublished, LinkSettings, LinkUp, Message
from tests.simulators.ear import Ear
from tests.simulators.hostile_broker import (
    CONNECT,
    PUBLISH,
    SUBSCRIBE,
    Answer,
    HostileBroker,
    frame,
    publish,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.link.versions import Choice

IMPATIENT = LinkSettings(
    host="127.0.0.1",
    port=0,
    client_id="device",
    protocol="3.1.1",
    answer_timeout_s=0.5,
    backoff_base_s=0.01,
    backoff_cap_s=0.05,
    refused_s=0.05,
)


@contextmanager
def link_to(broker: HostileBroker, ear: Ear, settings: LinkSettings = IMPATIENT) -> Iterator[Link]:
    link = Link(replace(settings, port=broker.port), post=ear.post, subscriptions=[("down/#", 1)])
    link.start()
    try:
        yield link
        assert link.alive
    finally:
        link.close(0.5)
        assert not link.alive


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
    with HostileBroker() as broker, link_to(broker, ear, replace(IMPATIENT, protocol=protocol)) as link:
        ear.wait(LinkUp)
        broker.send(HOSTILE[case])
        give_up = time.monotonic() + 5
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
    settings = replace(IMPATIENT, protocol=protocol)
    before = counters[Event.MESSAGE_REFUSED.value]
    with HostileBroker() as broker, link_to(broker, ear, settings):
        ear.wait(LinkUp)
        five = protocol == "5"
        broker.send(publish(b"\xff\xfe\xc3\x28", b"bad", qos=1, mid=7, five=five))
        broker.send(publish(b"down/good", b"good", qos=1, mid=8, five=five))
        assert ear.wait(LinkMessage) == LinkMessage("down/good", b"good", retain=False, receipt=(1, 8))
        assert len(broker.seen(CONNECT)) == 1
    assert counters[Event.MESSAGE_REFUSED.value] == before + 1


def test_the_link_is_not_up_before_suback() -> None:
    ear = Ear()
    with HostileBroker({SUBSCRIBE: lambda _: b""}) as broker, link_to(broker, ear) as link:
        down = ear.wait(LinkDown)
        assert down == LinkDown("the broker does not answer", refused=False)
        with pytest.raises(LinkLost):
            link.publish("up", b"")
        assert not broker.seen(PUBLISH)
        broker.answers.clear()
        ear.wait(LinkUp)


def test_a_refused_subscription_is_no_link() -> None:
    ear = Ear()
    no = {SUBSCRIBE: lambda packet: frame(0x90, packet.body[:2] + b"\x80")}
    with HostileBroker(no) as broker, link_to(broker, ear) as link:
        down = ear.wait(LinkDown)
        assert down.refused
        assert "no subscription to down/#" in down.reason
        assert link.state in (LinkState.REFUSED, LinkState.CONNECTING, LinkState.SUBSCRIBING)


def test_a_suback_that_answers_nothing_is_no_link() -> None:
    ear = Ear()
    empty = {SUBSCRIBE: lambda packet: frame(0x90, packet.body[:2])}
    with HostileBroker(empty) as broker, link_to(broker, ear):
        assert ear.wait(LinkDown).refused


OLD_BROKERS: dict[str, Answer] = {
    "refuses as 3.1.1 does": lambda p: frame(0x20, b"\0\1") if p.five else frame(0x20, b"\0\0"),
    "refuses as 5 does": lambda p: frame(0x20, b"\0\x84\0") if p.five else frame(0x20, b"\0\0"),
    "hangs up": lambda p: None if p.five else frame(0x20, b"\0\0"),
    "says nothing": lambda p: b"" if p.five else frame(0x20, b"\0\0"),
}


@pytest.mark.parametrize("how", OLD_BROKERS)
def test_auto_finds_the_version_that_an_old_broker_speaks_and_remembers_it(how: str) -> None:
    ear = Ear()
    settings = replace(IMPATIENT, protocol="auto")
    with HostileBroker({CONNECT: OLD_BROKERS[how]}) as broker, link_to(broker, ear, settings):
        assert ear.wait(LinkUp).protocol == "3.1.1"
        assert [packet.five for packet in broker.seen(CONNECT)] == [True, False]
        broker.hang_up()
        ear.wait(LinkDown)
        assert ear.wait(LinkUp).protocol == "3.1.1"
        assert [packet.five for packet in broker.seen(CONNECT)] == [True, False, False]


def test_a_chosen_version_that_the_broker_refuses_is_told_with_a_hint() -> None:
    ear = Ear()
    settings = replace(IMPATIENT, protocol="5")
    with (
        HostileBroker({CONNECT: lambda _: frame(0x20, b"\0\x84\0")}) as broker,
        link_to(broker, ear, settings),
    ):
        down = ear.wait(LinkDown)
        assert down.refused
        assert 'Set mqtt.protocol to "auto"' in down.reason


def test_a_busy_broker_is_tried_again_soon_and_a_refusing_one_is_not() -> None:
    for code, refused in ((3, False), (5, True)):
        ear = Ear()
        no = {CONNECT: lambda _, code=code: frame(0x20, bytes([0, code]))}
        with HostileBroker(no) as broker, link_to(broker, ear):
            assert ear.wait(LinkDown).refused is refused


def test_a_second_client_of_our_name_is_told_with_a_hint() -> None:
    ear = Ear()
    with HostileBroker() as broker, link_to(broker, ear, replace(IMPATIENT, protocol="5")):
        ear.wait(LinkUp)
        broker.send(frame(0xE0, b"\x8e\0"))
        down = ear.wait(LinkDown)
        assert down.refused
        assert "Another client uses our client id" in down.reason


def test_what_was_not_confirmed_is_not_sent_again_behind_our_back() -> None:
    ear = Ear()
    with HostileBroker({PUBLISH: lambda _: b""}) as broker, link_to(broker, ear) as link:
        ear.wait(LinkUp)
        for n in range(3):
            link.publish("up", b"%d" % n)
        while len(broker.seen(PUBLISH)) < 3:
            time.sleep(0.01)
        broker.answers.clear()
        broker.hang_up()
        ear.wait(LinkUp)
        link.publish("up", b"new")
        ear.wait(LinkPublished)
        assert [p.body[-3:] for p in broker.seen(PUBLISH) if p.connection == 2] == [b"new"]


def test_no_more_is_on_its_way_than_the_broker_allows() -> None:
    ear = Ear()
    allow_two = {CONNECT: lambda _: frame(0x20, b"\0\0\3\x21\0\2"), PUBLISH: lambda _: b""}
    with HostileBroker(allow_two) as broker, link_to(broker, ear, replace(IMPATIENT, protocol="5")) as link:
        assert ear.wait(LinkUp).receive_max == 2
        for _ in range(5):
            link.publish("up", b"")
        time.sleep(0.3)
        first, second = broker.seen(PUBLISH)
        broker.send(b"".join(frame(0x40, packet.body[4:6]) for packet in (first, second)))
        ear.wait(LinkPublished)
        time.sleep(0.3)
        assert len(broker.seen(PUBLISH)) == 4


def test_a_link_can_be_told_to_connect_again_and_its_will_is_left_to_the_broker() -> None:
    ear = Ear()
    with HostileBroker() as broker:
        will = Message("up/state", b"gone", retain=True)
        settings = replace(IMPATIENT, port=broker.port)
        link = Link(settings, post=ear.post, will=will, birth=Message("up/state", b"here", retain=True))
        link.start()
        ear.wait(LinkUp)
        link.reconnect("a test wants it")
        assert ear.wait(LinkDown).reason == "a test wants it"
        ear.wait(LinkUp)
        link.close()
        assert [p.connection for p in broker.seen(PUBLISH)] == [1, 2]
        assert [p.connection for p in broker.seen(14)] == [2]
        assert b"gone" in broker.seen(CONNECT)[0].body


def test_a_broker_that_is_not_there_is_waited_for() -> None:
    ear = Ear()
    with HostileBroker() as gone:
        port = gone.port
    link = Link(replace(IMPATIENT, port=port), post=ear.post)
    link.start()
    try:
        down = ear.wait(LinkDown)
        assert "connection refused" in down.reason
        assert not down.refused
        ear.wait(LinkDown)
    finally:
        link.close()


def test_a_bad_host_name_is_refused_in_words() -> None:
    ear = Ear()
    link = Link(replace(IMPATIENT, host="a" * 70 + ".invalid"), post=ear.post)
    link.start()
    try:
        assert "is no host name" in ear.wait(LinkDown).reason
    finally:
        link.close()


def test_tls_to_a_port_without_tls_and_missing_files_are_told_apart() -> None:
    ear = Ear()
    with HostileBroker({CONNECT: lambda _: None}) as broker:
        settings = replace(IMPATIENT, port=broker.port, tls=True, connect_timeout_s=0.5)
        link = Link(settings, post=ear.post)
        link.start()
        assert not ear.wait(LinkDown).refused
        link.close()
        ear = Ear()
        link = Link(replace(settings, ca_file="no-such-file.pem"), post=ear.post)
        link.start()
        down = ear.wait(LinkDown)
        link.close()
    assert down.refused
    assert "the TLS files cannot be used" in down.reason


def test_close_waits_no_longer_than_it_may_and_can_be_repeated() -> None:
    ear = Ear()
    with HostileBroker({PUBLISH: lambda _: b""}) as broker:
        link = Link(replace(IMPATIENT, port=broker.port), post=ear.post)
        link.start()
        ear.wait(LinkUp)
        link.publish("up", b"never confirmed")
        began = time.monotonic()
        link.close(0.3)
        link.close(0.3)
        assert 0.2 < time.monotonic() - began < 2
        assert not link.alive


def test_a_link_that_was_never_started_can_be_closed() -> None:
    link = Link(IMPATIENT, post=Ear().post)
    link.close()
    link.close()
    with pytest.raises(LinkLost):
        link.publish("up", b"")


def test_the_heartbeat_goes_on_while_nothing_happens() -> None:
    ear = Ear()
    with HostileBroker() as broker, link_to(broker, ear) as link:
        ear.wait(LinkUp)
        before = link.heartbeat
        time.sleep(1.3)
        assert link.heartbeat > before
        assert time.monotonic() - link.heartbeat < 1.5
