"""Fetching published files from brokers that lie, flood, hang up, or have odd habits."""

from __future__ import annotations

import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.errors import Absent, LinkLost
from agent.link.bulk import Bulk
from agent.link.settings import LinkSettings
from tests.simulators.certificates import self_signed
from tests.simulators.hostile_broker import (
    CONNECT,
    PUBLISH,
    SUBACK,
    SUBSCRIBE,
    HostileBroker,
    Packet,
    frame,
    length,
    publish,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

UNSUBSCRIBE = 10
SETTINGS = LinkSettings("127.0.0.1", 0, "", protocol="3.1.1")
QUICK_S = 1.0
"""How long to wait for answers where none comes."""
TOP = "edge/v1/barn/tuf/"
SHA = "ab" * 32


def bulk(port: int, **settings: object) -> Bulk:
    made = replace(SETTINGS, port=port, **settings)  # type: ignore[arg-type]
    return Bulk(made, "barn", "cam-1")


def filters(packet: Packet) -> list[str]:
    """The topics of a SUBSCRIBE or UNSUBSCRIBE (MQTT 3.1.1)."""
    found, rest, qos = list[str](), packet.body[2:], 1 if packet.kind == SUBSCRIBE else 0
    while rest:
        size = int.from_bytes(rest[:2], "big")
        found.append(rest[2 : 2 + size].decode())
        rest = rest[2 + size + qos :]
    return found


class Shelves:
    """Answers a SUBSCRIBE with retained messages, and an echo with itself.

    Attributes:
        files: what there is, by topic.
        before, after: bytes that come before and after each message that was asked for.
        echo: whether echoes come back.
        late_s: how long a retained message comes after everything else.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.before: Callable[[str], bytes] = lambda _: b""
        self.echo = True
        self.late_s = 0.0
        self.broker = HostileBroker({SUBSCRIBE: self._subscribe, PUBLISH: self._publish})

    def _subscribe(self, packet: Packet) -> bytes:
        names = filters(packet)
        answer = frame(SUBACK << 4, packet.body[:2] + b"\0" * len(names))
        held = b"".join(self._message(name) for name in names if name in self.files)
        if held and self.late_s:
            threading.Timer(self.late_s, self.broker.send, [held]).start()
            return answer
        return answer + held

    def _message(self, name: str) -> bytes:
        return self.before(name) + publish(name.encode(), self.files[name])

    def _publish(self, packet: Packet) -> bytes:
        return frame(0x30, packet.body) if self.echo else b""


@contextmanager
def shelves() -> Iterator[Shelves]:
    made = Shelves()
    with made.broker:
        yield made


def test_subscriptions_are_exact_few_and_taken_back() -> None:
    with shelves() as there:
        there.files = {f"{TOP}blob/{SHA}/{number}": b"x" for number in range(100)}
        with closing(bulk(there.broker.port)) as fetch:
            assert len(dict(fetch.chunks(SHA, range(100), 10))) == 100
        held, most = set[str](), 0
        for packet in there.broker.packets:
            if packet.kind == SUBSCRIBE:
                assert len(filters(packet)) <= 8
                held |= set(filters(packet))
            elif packet.kind == UNSUBSCRIBE:
                assert len(filters(packet)) <= 8
                held -= set(filters(packet))
            most = max(most, len(held))
        assert most <= 4 + 8 + 1
        assert not any("#" in name or "+" in name for name in held)


def test_a_file_that_comes_after_the_echo_is_found() -> None:
    with shelves() as there:
        there.files, there.late_s = {f"{TOP}hint": b"late"}, 0.1
        with closing(bulk(there.broker.port)) as fetch:
            assert fetch.get("hint", 10) == b"late"


def test_a_storm_of_what_nobody_asked_for_neither_stops_it_nor_is_kept() -> None:
    noise = publish(b"edge/v1/barn/tuf/hint", bytes(1000)) * 30
    noise += publish(f"{TOP}blob/{SHA}/3".encode(), b"again") * 30
    with shelves() as there:
        names = [f"{TOP}blob/{SHA}/{number}" for number in range(100)]
        there.files = {name: name.encode() for name in names}
        there.before = lambda _: noise
        with closing(bulk(there.broker.port)) as fetch:
            found = dict(fetch.chunks(SHA, range(100), 200))
            assert len(found) == 100
            assert found[40] == names[40].encode()
            assert fetch._session is not None
            assert len(fetch._session.notes) == 0


def test_a_broker_that_sends_only_what_nobody_asked_for_is_left() -> None:
    with shelves() as there, closing(bulk(there.broker.port, answer_timeout_s=QUICK_S)) as fetch:
        over = threading.Event()

        def storm() -> None:
            while not over.wait(0.02):
                try:
                    there.broker.send(publish(b"a", b"b"))
                except OSError:
                    return

        there.echo = False
        thread = threading.Thread(target=storm)
        thread.start()
        try:
            with pytest.raises(LinkLost, match="sends what nobody has asked for"):
                fetch.get("hint", 500)
        finally:
            over.set()
            thread.join()


def test_a_refused_subscription_tells_to_look_at_the_access_list() -> None:
    def refuse(packet: Packet) -> bytes:
        refused = b"\x80" if "tuf" in filters(packet)[0] else b"\0"
        return frame(SUBACK << 4, packet.body[:2] + refused)

    with HostileBroker({SUBSCRIBE: refuse}) as broker, closing(bulk(broker.port)) as fetch:
        with pytest.raises(LinkLost) as caught:
            fetch.get("hint", 10)
        assert caught.value.problem == "no subscription to edge/v1/barn/tuf/hint"
        assert caught.value.hint == "Check the broker's access list"


def test_a_broker_that_hangs_up_on_our_echo_tells_what_to_grant() -> None:
    with HostileBroker({PUBLISH: lambda _: None}) as broker, closing(bulk(broker.port)) as fetch:
        with pytest.raises(LinkLost) as caught:
            fetch.get("hint", 10)
        assert caught.value.hint == "Let this device write and read edge/v1/barn/d/cam-1/echo/+"


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_a_huge_message_costs_the_connection_before_its_body_is_read(tls: bool, tmp_path: Path) -> None:
    files = self_signed(tmp_path) if tls else None
    secure: dict[str, object] = {"tls": True, "ca_file": str(files[0]), "host": "localhost"} if files else {}

    def huge(_: Packet) -> bytes:
        return b"\x30" + length(100 << 20) + bytes(5000)

    with (
        HostileBroker({SUBSCRIBE: huge}, tls=files) as broker,
        closing(bulk(broker.port, **secure)) as fetch,
        pytest.raises(LinkLost, match="104857600 bytes"),
    ):
        fetch.get("hint", 10)


@pytest.mark.parametrize("bytes_", [b"\x30\x01\x00", b"\x90\x00", b"\x36\x04\x00\x01a\x00", b"\xf0\x00"])
def test_bytes_that_no_broker_should_send_are_a_lost_link(bytes_: bytes) -> None:
    with (
        HostileBroker({SUBSCRIBE: lambda _: bytes_}) as broker,
        closing(bulk(broker.port)) as fetch,
        pytest.raises(LinkLost),
    ):
        fetch.get("hint", 10)


def test_a_broker_that_answers_mqtt_5_with_silence_is_spoken_to_in_3_1_1() -> None:
    with shelves() as there:
        there.files = {f"{TOP}hint": b"{}"}
        there.broker.answers[CONNECT] = lambda packet: b"" if packet.five else there.broker.polite(packet)
        with closing(bulk(there.broker.port, protocol="auto", answer_timeout_s=QUICK_S)) as fetch:
            assert fetch.get("hint", 10) == b"{}"


def test_a_login_that_is_refused_says_so() -> None:
    refuse = {CONNECT: lambda _: bytes([0x20, 2, 0, 4])}
    with (
        HostileBroker(refuse) as broker,
        closing(bulk(broker.port)) as fetch,
        pytest.raises(LinkLost, match="Check the user name and the password"),
    ):
        fetch.get("hint", 10)


def test_a_broker_that_accepts_nobody_is_left_after_the_time_for_answers() -> None:
    began = time.monotonic()
    with (
        HostileBroker({CONNECT: lambda _: b""}) as broker,
        closing(bulk(broker.port, answer_timeout_s=QUICK_S)) as fetch,
        pytest.raises(LinkLost, match="the broker does not answer"),
    ):
        fetch.get("hint", 10)
    assert time.monotonic() - began < 8


def test_forged_echoes_do_not_end_what_is_on_its_way() -> None:
    with shelves() as there:
        names = [f"{TOP}blob/{SHA}/{number}" for number in range(20)]
        there.files = dict.fromkeys(names, b"x")

        def forge(_: str) -> bytes:
            mine = next(filters(p)[0] for p in there.broker.seen(SUBSCRIBE))
            return b"".join(publish(mine.encode(), b"%d" % n) for n in (1, 2, 99)) + publish(
                mine.encode(), b"x"
            )

        there.before = forge
        with closing(bulk(there.broker.port)) as fetch:
            assert len(dict(fetch.chunks(SHA, range(20), 10))) == 20
            with pytest.raises(Absent):
                fetch.get("hint", 10)


def test_a_message_without_content_is_no_file() -> None:
    with shelves() as there:
        there.files = {f"{TOP}hint": b"{}"}
        there.before = lambda name: publish(name.encode(), b"")
        with closing(bulk(there.broker.port)) as fetch:
            assert fetch.get("hint", 10) == b"{}"


def test_what_is_asked_for_again_is_let_go_of_first() -> None:
    with shelves() as there:
        there.files = {f"{TOP}hint": b"{}"}
        with closing(bulk(there.broker.port)) as fetch:
            for _ in range(2):
                fetch.get("hint", 10)
        hints = [packet.kind for packet in there.broker.packets if packet.kind in (SUBSCRIBE, UNSUBSCRIBE)]
        assert hints[1:] == [SUBSCRIBE, UNSUBSCRIBE, SUBSCRIBE]
