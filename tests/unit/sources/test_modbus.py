"""Modbus over TCP and on a serial line, with a unit that does what a test says."""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
import time
import tty
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent.errors import InputRejected, SourceLost
from agent.sources import modbus
from agent.sources.fieldbus.rtu import framed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.types import Frame, Source

ONE = [{"name": "speed", "address": 3, "type": "int16"}]
ASKED = bytes([3, 0, 3, 0, 1])


def unit(start: int = 0, registers: Any = ONE, **options: Any) -> Source:
    patient = {"max_gap_s": 30, "timeout_s": 5, "silence_s": 60}
    given = {"rate": 500, "window": 1, "registers": registers, **patient, **options}
    return modbus.build(modbus.Options(**given), start=start)


def one(source: Source, timeout_s: float = 10) -> Frame:
    frame = source.read(timeout_s)
    assert frame is not None
    return frame


class Line:
    """A serial line with nobody on it but this test."""

    def __init__(self) -> None:
        self.theirs, self._ours = os.openpty()
        tty.setraw(self._ours)
        self.options: dict[str, Any] = {"device": os.ttyname(self._ours), "parity": "none", "baud": 115200}

    def asked(self) -> bytes:
        return _piece(self.theirs)

    def say(self, data: bytes) -> None:
        os.write(self.theirs, data)

    def close(self) -> None:
        for end in (self.theirs, self._ours):
            os.close(end)


class Server:
    """A port with nobody behind it but this test, and one connection to it."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.options: dict[str, Any] = {"host": "127.0.0.1", "port": self.listening.getsockname()[1]}
        self._client: socket.socket | None = None

    @property
    def client(self) -> socket.socket:
        if self._client is None:
            self._client, _ = self.listening.accept()
        return self._client

    def asked(self) -> bytes:
        return _piece(self.client.fileno())

    def say(self, data: bytes) -> None:
        self.client.sendall(data)

    def close(self) -> None:
        self.listening.close()
        if self._client is not None:
            self._client.close()


def _piece(end: int) -> bytes:
    return os.read(end, 512) if select.select([end], [], [], 10)[0] else b"nothing was asked"


@contextmanager
def line(**options: Any) -> Iterator[tuple[Line, Source]]:
    with closing(Line()) as wire, closing(unit(**wire.options, **options)) as source:
        yield wire, source


@contextmanager
def server(**options: Any) -> Iterator[tuple[Server, Source]]:
    with closing(Server()) as there, closing(unit(**there.options, **options)) as source:
        yield there, source


def answered(request: bytes, pdu: bytes, unit: int = 1) -> bytes:
    return request[:4] + struct.pack(">HB", len(pdu) + 1, unit) + pdu


def test_a_question_on_the_line_is_the_one_of_the_specification() -> None:
    with line() as (wire, source):
        assert source.read(0.02) is None
        assert wire.asked() == framed(1, ASKED)
        wire.say(framed(1, b"\x03\x02\xff\xfe"))
        assert one(source).data.tolist() == [[-2]]


def test_an_answer_in_pieces_is_waited_for_and_never_longer_than_asked() -> None:
    with line() as (wire, source):
        assert source.read(0.02) is None
        wire.asked()
        for piece in (framed(1, b"\x03\x02\x00\x05")[:3], framed(1, b"\x03\x02\x00\x05")[3:]):
            began = time.monotonic()
            assert source.read(0.05) is None
            assert 0.04 < time.monotonic() - began < 3
            wire.say(piece)
        assert one(source).data.tolist() == [[5]]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (framed(1, b"\x03\x02\x00\x05")[:-1] + b"\x00", "a checksum is wrong, in 01 03 02 00 05"),
        (framed(9, b"\x03\x02\x00\x05"), "unit 9 answers in its place"),
        (framed(1, b"\x03\x04\x00\x05\x00\x05"), "it answers something else, 03 04 00 05 00 05"),
        (framed(1, b"\x83\x06"), r"it is busy \(exception 6\)"),
    ],
)
def test_a_wrong_answer_fails_one_window_and_the_next_is_read(said: bytes, told: str) -> None:
    with line() as (wire, source):
        assert source.read(0.02) is None
        wire.asked()
        wire.say(said)
        with pytest.raises(InputRejected, match=told):
            source.read(5)
        assert source.read(0.05) is None
        assert wire.asked() == framed(1, ASKED)
        wire.say(framed(1, b"\x03\x02\x00\x05"))
        frame = one(source)
        assert (frame.seq, frame.data.tolist()) == (1, [[5]])


def test_a_unit_that_does_not_answer_is_told_once_and_then_lost() -> None:
    with line(timeout_s=0.05, silence_s=0.5) as (_, source):
        with pytest.raises(
            InputRejected, match=r"holding register 0x3: no answer within 0.05 s. Check wiring"
        ):
            source.read(5)
        began = time.monotonic()
        with pytest.raises(
            SourceLost, match=r"no sample for \d\.\d s; the last trouble: holding register 0x3: no"
        ):
            source.read(5)
        assert time.monotonic() - began < 4


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one() -> None:
    with server(timeout_s=0.5, silence_s=20) as (there, source):
        with pytest.raises(InputRejected, match="no answer within"):
            source.read(5)
        late = there.asked()[:12]
        assert source.read(0.01) is None
        there.say(answered(late, b"\x03\x02\x00\x01"))
        newest = late
        deadline = time.monotonic() + 10
        while (frame := source.read(0.01)) is None:
            assert time.monotonic() < deadline
            if select.select([there.client], [], [], 0)[0]:
                newest = there.asked()[-12:]
                there.say(answered(newest, b"\x03\x02\x00\x02"))
        assert frame.data.tolist() == [[2]]


def test_answers_to_nobody_without_an_end_do_not_hold_a_read_up() -> None:
    began, over = time.monotonic(), threading.Event()
    with server(timeout_s=30) as (there, source):
        assert source.read(0.02) is None
        stale = answered(b"\xff\xff\0\0", b"\x03\x02\x00\x01") * 50

        def talk() -> None:
            there.client.settimeout(0.1)
            while not over.is_set() and time.monotonic() < began + 6:
                with suppress(TimeoutError):  # it reads no more for now
                    there.client.send(stale)

        talker = threading.Thread(target=talk)
        talker.start()
        found = [source.read(0.1) for _ in range(3)]
        took = time.monotonic() - began
        over.set()
        talker.join()
    assert (found, took < 5) == ([None] * 3, True)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\0\x01\0\x07\0\x03\x01",
        b"\0\x01\0\0\0\0\x01",
        b"\0\x01\0\0\xff\xff\x01",
    ],
)
def test_another_protocol_is_a_loss(said: bytes) -> None:
    with server() as (there, source):
        assert source.read(0.02) is None
        there.say(said)
        with pytest.raises(
            SourceLost, match=r"what it sends is not Modbus over TCP. Check its power, network"
        ):
            source.read(5)


def test_what_another_unit_says_over_tcp_is_not_taken_either() -> None:
    with server() as (there, source):
        assert source.read(0.02) is None
        there.say(answered(there.asked(), b"\x03\x02\x00\x01", unit=2))
        with pytest.raises(InputRejected, match="holding register 0x3: unit 2 answers in its place"):
            source.read(5)


def test_a_connection_that_ends_or_cannot_be_made_is_a_loss() -> None:
    with server() as (there, source):
        assert source.read(0.02) is None
        there.client.shutdown(socket.SHUT_RDWR)
        with pytest.raises(SourceLost, match="the other end has closed the connection"):
            source.read(5)
        options = there.options
    with pytest.raises(SourceLost, match="unit 1: connection refused"):
        unit(**options)
    for host in ("nowhere.invalid", "no..where"):
        with pytest.raises(SourceLost, match=f"{host}:502 unit 1: "):
            unit(host=host)


def test_a_unit_that_went_is_read_again_once_it_is_back_two_hundred_times() -> None:
    with closing(Server()) as there:
        before = len([*Path("/proc/self/fd").iterdir()])
        for _ in range(200):
            with closing(unit(**there.options)) as source:
                client, _ = there.listening.accept()
                client.close()
                with pytest.raises(SourceLost):
                    source.read(5)
        assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_a_line_that_is_unplugged_is_lost_at_once() -> None:
    wire = Line()
    with closing(unit(**wire.options)) as source:
        assert source.read(0.02) is None
        os.close(wire.theirs)
        began = time.monotonic()
        with pytest.raises(SourceLost, match=r"read registers .*Plug the adapter in again"):
            source.read(5)
        assert time.monotonic() - began < 2
    os.close(wire._ours)


def test_a_port_that_is_not_there_or_held_or_cannot_do_what_is_asked_is_a_loss() -> None:
    with pytest.raises(SourceLost, match=r"no such file or directory.*by-id"):
        unit(device="/dev/ttyNONE")
    with pytest.raises(SourceLost, match=r"open serial port /dev/null: "):
        unit(device="/dev/null")
    with line() as (wire, _), pytest.raises(SourceLost, match="open serial port"):
        unit(**wire.options)
    with closing(Line()) as wire:
        unit(**{**wire.options, "parity": "even"}).close()
        with pytest.raises(SourceLost, match=r"open serial port .*: invalid argument"):
            unit(**{**wire.options, "parity": "even"})  # a pseudo-terminal has no parity, and says so now


def test_noise_without_an_end_does_not_hold_a_read_up() -> None:
    with line(timeout_s=0.1, silence_s=5) as (wire, source):
        os.set_blocking(wire.theirs, False)
        for _ in range(5):
            wire.say(b"\x01\x03\x02" * 60)
            began = time.monotonic()
            try:
                assert source.read(0.02) is None
            except InputRejected as error:
                assert "checksum" in str(error) or "no answer" in str(error)  # noqa: PT017 - either may be first
            assert time.monotonic() - began < 5


def test_a_slow_rate_is_no_silence() -> None:
    with line(rate=0.5, silence_s=0.5, window=2) as (wire, source):
        assert source.read(0.02) is None
        wire.asked()
        wire.say(framed(1, b"\x03\x02\x00\x05"))
        assert source.read(0.7) is None
