"""The link against brokers that say no, or nothing: it is told in words, and there is no half a link."""

from __future__ import annotations

import pytest

from agent.errors import LinkLost
from agent.link.connection import LinkState
from agent.link.settings import LinkDown, LinkPublished, LinkUp
from tests.simulators.ear import Ear
from tests.simulators.hostile_broker import CONNECT, PUBLISH, SUBSCRIBE, Answer, HostileBroker, Packet, frame
from tests.simulators.links import QUICK_S, link_to


def test_the_link_is_not_up_before_suback() -> None:
    ear = Ear()
    with (
        HostileBroker({SUBSCRIBE: lambda _: b""}) as broker,
        link_to(broker.port, ear, answer_timeout_s=QUICK_S) as link,
    ):
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
    with HostileBroker(no) as broker, link_to(broker.port, ear) as link:
        down = ear.wait(LinkDown)
        assert down.refused
        assert "no subscription to down/#" in down.reason
        assert link.state in (LinkState.REFUSED, LinkState.CONNECTING, LinkState.SUBSCRIBING)


def test_a_suback_that_answers_nothing_is_no_link() -> None:
    ear = Ear()
    empty = {SUBSCRIBE: lambda packet: frame(0x90, packet.body[:2])}
    with HostileBroker(empty) as broker, link_to(broker.port, ear):
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
    with HostileBroker({CONNECT: OLD_BROKERS[how]}) as broker, link_to(broker.port, ear, protocol="auto"):
        assert ear.wait(LinkUp).protocol == "3.1.1"
        assert [packet.five for packet in broker.seen(CONNECT)] == [True, False]
        broker.hang_up()
        ear.wait(LinkDown)
        assert ear.wait(LinkUp).protocol == "3.1.1"
        assert [packet.five for packet in broker.seen(CONNECT)] == [True, False, False]


def test_a_chosen_version_that_the_broker_refuses_is_told_with_a_hint() -> None:
    ear = Ear()
    with (
        HostileBroker({CONNECT: lambda _: frame(0x20, b"\0\x84\0")}) as broker,
        link_to(broker.port, ear, protocol="5"),
    ):
        down = ear.wait(LinkDown)
        assert down.refused
        assert 'Set mqtt.protocol to "auto"' in down.reason


def test_a_busy_broker_is_tried_again_soon_and_a_refusing_one_is_not() -> None:
    for code, refused in ((3, False), (5, True)):
        ear = Ear()
        no = {CONNECT: lambda _, code=code: frame(0x20, bytes([0, code]))}
        with HostileBroker(no) as broker, link_to(broker.port, ear):
            assert ear.wait(LinkDown).refused is refused


def test_a_second_client_of_our_name_is_told_with_a_hint() -> None:
    ear = Ear()
    with HostileBroker() as broker, link_to(broker.port, ear, protocol="5"):
        ear.wait(LinkUp)
        broker.send(frame(0xE0, b"\x8e\0"))
        down = ear.wait(LinkDown)
        assert down.refused
        assert "Another client uses our client id" in down.reason


@pytest.mark.parametrize(("code", "hint"), [(0x87, "access list"), (0x97, "quota")])
def test_a_message_that_the_broker_refuses_is_answered_with_the_reason(code: int, hint: str) -> None:
    def refused(packet: Packet) -> bytes:
        behind_topic = 2 + int.from_bytes(packet.body[:2])
        return frame(0x40, packet.body[behind_topic : behind_topic + 2] + bytes([code]))

    ear = Ear()
    with HostileBroker({PUBLISH: refused}) as broker, link_to(broker.port, ear, protocol="5") as link:
        ear.wait(LinkUp)
        token = link.publish("up", b"x")
        answer = ear.wait(LinkPublished)
        assert answer.token == token
        assert hint in answer.refused
        assert link.state is LinkState.ONLINE
        broker.answers.clear()
        link.publish("up", b"x")
        assert ear.wait(LinkPublished).refused == ""
