"""A link's life with a broker that can be watched: what is sent, what is not, and how it ends."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from agent.errors import LinkLost
from agent.link.mqtt import Link
from agent.link.settings import LinkDown, LinkPublished, LinkUp, Message
from tests.simulators.ear import Ear
from tests.simulators.hostile_broker import CONNECT, DISCONNECT, PUBLISH, HostileBroker, frame
from tests.simulators.links import IMPATIENT, QUICK_S, link_to


def test_what_was_not_confirmed_is_not_sent_again_behind_our_back() -> None:
    ear = Ear()
    with HostileBroker({PUBLISH: lambda _: b""}) as broker, link_to(broker.port, ear) as link:
        ear.wait(LinkUp)
        for n in range(3):
            link.publish("up", b"%d" % n)
        broker.wait_for(PUBLISH, 3)
        broker.answers.clear()
        broker.hang_up()
        ear.wait(LinkUp)
        link.publish("up", b"new")
        ear.wait(LinkPublished)
        assert [p.body[-3:] for p in broker.seen(PUBLISH) if p.connection == 2] == [b"new"]


def test_no_more_is_on_its_way_than_the_broker_allows() -> None:
    ear = Ear()
    allow_two = {CONNECT: lambda _: frame(0x20, b"\0\0\3\x21\0\2"), PUBLISH: lambda _: b""}
    with HostileBroker(allow_two) as broker, link_to(broker.port, ear, protocol="5") as link:
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
        broker.wait_for(DISCONNECT, 1)
        assert [p.connection for p in broker.seen(PUBLISH)] == [1, 2]
        assert [p.connection for p in broker.seen(DISCONNECT)] == [2]
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
        settings = replace(
            IMPATIENT, port=broker.port, tls=True, connect_timeout_s=QUICK_S, answer_timeout_s=QUICK_S
        )
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
        assert 0.2 < time.monotonic() - began < 10
        assert not link.alive


def test_a_link_that_was_never_started_can_be_closed() -> None:
    link = Link(IMPATIENT, post=Ear().post)
    link.close()
    link.close()
    with pytest.raises(LinkLost):
        link.publish("up", b"")


def test_the_heartbeat_goes_on_while_nothing_happens() -> None:
    ear = Ear()
    with HostileBroker() as broker, link_to(broker.port, ear) as link:
        ear.wait(LinkUp)
        for _ in range(2):
            before, give_up = link.heartbeat, time.monotonic() + 30
            while link.heartbeat == before:
                assert time.monotonic() < give_up
                time.sleep(0.01)
            assert before < link.heartbeat <= time.monotonic()


def test_a_link_whose_messages_nobody_confirms_is_made_anew() -> None:
    ear = Ear()
    with HostileBroker() as broker, link_to(broker.port, ear, confirm_timeout_s=0.4) as link:
        ear.wait(LinkUp)
        for _ in range(3):  # each confirmed: no silence
            link.publish("up", b"")
            ear.wait(LinkPublished)
            time.sleep(0.2)
        broker.answers[PUBLISH] = lambda _: b""
        began = time.monotonic()
        link.publish("up", b"")
        assert ear.wait(LinkDown).reason == "the broker confirms nothing"
        assert 0.3 < time.monotonic() - began < 10
        ear.wait(LinkUp)
