"""CAN buses: adapters on a serial port, which python-can speaks for, and sockets as the kernel's are."""

from __future__ import annotations

import os
import re
import sys
import time
import tty
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import can as reference
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.errors import ExtraMissing, InputRejected, SourceLost
from agent.sources import can
from agent.sources.fieldbus.signals import Message
from agent.sources.fieldbus.slcan import Slcan
from agent.types import Needs
from tests.simulators.serial_line import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.types import Frame, Source

RPM = [{"name": "rpm", "id": 0x123, "start": 0, "length": 16, "scale": 0.25}]
FAST = {"rate": 500, "window": 1, "max_gap_s": 30, "hold_s": 60, "silence_s": 60}


def bus(channel: str, signals: Any = RPM, start: int = 0, **options: Any) -> Source:
    given = {**FAST, "channel": channel, "signals": signals, **options}
    return can.build(can.Options(**given), start=start)


def one(source: Source) -> Frame:
    frame = source.read(10)
    assert frame is not None
    return frame


def test_an_adapter_is_set_up_and_its_messages_become_windows() -> None:
    with wire() as (end, path), closing(bus(path, start=3, bitrate=250000)) as source:
        assert os.read(end, 100) == b"\rC\rS5\rL\r"
        os.write(end, b"\r\r\rt12320C80\r")
        frame = one(source)
        assert (frame.seq, frame.data.tolist()) == (3, [[0x800C / 4]])


def test_an_adapter_may_take_part_in_the_bus() -> None:
    with wire() as (end, path), closing(bus(path, listen_only=False)):
        assert os.read(end, 100) == b"\rC\rS6\rO\r"


@contextmanager
def joined() -> Iterator[Callable[[reference.Message], list[Message | str]]]:
    """Carry messages from python-can's end of a line to ours."""
    with (
        wire() as (theirs, path),
        wire() as (ours, mine),
        closing(Slcan(mine, 500000, listen_only=True)) as link,
        reference.Bus(interface="slcan", channel=path, bitrate=500000, sleep_after_open=0) as sender,
    ):

        def carried(message: reference.Message) -> list[Message | str]:
            sender.send(message)
            said = b""
            while (
                found := re.search(rb"[tTrR][0-9A-F]+\r", said)
            ) is None:  # what sets an adapter up is before it
                said += os.read(theirs, 100)
            os.write(ours, found[0])
            return link.receive(5)

        yield carried


def test_what_python_can_sends_is_what_an_adapter_gives() -> None:
    messages = [
        reference.Message(arbitration_id=0x7FF, is_extended_id=False, data=b"\x00\xff\x10"),
        reference.Message(arbitration_id=0x1ABCDEF0, is_extended_id=True, data=bytes(range(8))),
        reference.Message(arbitration_id=0x1, is_extended_id=False, data=b""),
    ]
    with joined() as carried:
        for sent in messages:
            [found] = carried(sent)
            assert isinstance(found, Message)
            assert found.id == (sent.arbitration_id, sent.is_extended_id)
            assert found.data == bytes(sent.data)
        asks = reference.Message(arbitration_id=0x7FF, is_extended_id=False, is_remote_frame=True, dlc=2)
        assert carried(asks) == []


@given(st.lists(st.tuples(st.integers(0, 0x7FF), st.binary(max_size=8)), max_size=9), st.data())
def test_messages_are_the_same_in_whatever_pieces_they_come(
    sent: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    text = b"\r" + b"".join(b"t%03X%d%s\r" % (at, len(held), held.hex().encode()) for at, held in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    with wire() as (end, path), closing(Slcan(path, 500000, listen_only=True)) as link:
        found: list[Message | str] = []
        for begin, until in zip([0, *cuts], [*cuts, len(text)], strict=True):
            if begin < until:
                os.write(end, text[begin:until])
                found += link.receive(5)
    assert [(one.id[0], one.data) for one in found if isinstance(one, Message)] == sent


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"t1232\r", "a line is no message: 't1232'"),
        (b"t12390000\r", "a line is no message: 't12390000'"),
        (b"hello\r", "a line is no message: 'hello'"),
        (b"x" * 70, "no line ends within 64 bytes"),
        (b"t12310C\r", "message 0x123 has 1 bytes, and its signals need 2"),
    ],
)
def test_what_an_adapter_says_wrong_fails_one_window_and_the_next_is_read(said: bytes, told: str) -> None:
    with wire() as (end, path), closing(bus(path)) as source:
        os.write(end, b"t3FF0\r" + said)
        with pytest.raises(InputRejected, match=told):
            source.read(5)
        os.write(end, b"\rt123204000000\r")  # with a time behind the data
        frame = one(source)
        assert (frame.seq, frame.data.tolist()) == (1, [[1]])


def test_the_end_of_a_line_and_answers_to_commands_are_no_trouble() -> None:
    with wire() as (end, path), closing(bus(path)) as source:
        os.write(end, b"230400\r\a\rz\rZ\rV1013\rF00\rr1232\rt12320400\r")
        assert one(source).data.tolist() == [[1]]


def test_an_adapter_that_is_unplugged_is_lost_at_once() -> None:
    theirs, ours = os.openpty()
    tty.setraw(ours)
    with closing(bus(os.ttyname(ours))) as source:
        os.close(theirs)
        began = time.monotonic()
        with pytest.raises(SourceLost, match=r"read CAN adapter .*Plug it in again"):
            source.read(5)
        assert time.monotonic() - began < 2
    os.close(ours)


def test_a_port_that_is_not_there_or_held_or_none_is_a_loss() -> None:
    with pytest.raises(
        SourceLost, match=r"open CAN adapter /dev/ttyNONE: .*no such file or directory.*by-id"
    ):
        bus("/dev/ttyNONE")
    with pytest.raises(SourceLost, match="open CAN adapter /dev/null: "):
        bus("/dev/null")
    with wire() as (_, path), closing(bus(path)), pytest.raises(SourceLost, match="open CAN adapter"):
        bus(path)


def test_a_quiet_bus_is_lost_and_one_without_a_message_says_which() -> None:
    with wire() as (end, path), closing(bus(path, silence_s=0.5, hold_s=0.2)) as source:
        assert source.read(0.1) is None
        with pytest.raises(SourceLost, match=r"no sample for \d\.\d s. Check its cable"):
            source.read(0.6)
        missing = [*RPM, {"name": "oil", "id": 0x7E8, "start": 0, "length": 8}]
    with wire() as (end, path), closing(bus(path, missing, silence_s=0.5, hold_s=0.2)) as source:
        time.sleep(0.3)
        os.write(end, b"\rt12320400\r")
        with pytest.raises(InputRejected, match=r"no message 0x7e8 for \d\.\d s"):
            source.read(2)
        with pytest.raises(SourceLost, match=r"the last trouble: no message 0x7e8 for .*Check id, start"):
            source.read(0.6)


def test_an_interface_that_is_not_there_is_a_loss_with_what_to_do() -> None:
    with pytest.raises(SourceLost, match=r"open CAN bus can77: .*(modprobe can_raw|ip link set can77 up)"):
        bus("can77")


def test_without_pyserial_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(ExtraMissing, match=r"edge-inference-agent\[serial\]"):
        bus("/dev/ttyNONE")


@pytest.mark.parametrize(
    ("signal", "told"),
    [
        ({"id": 0x800}, "say extended = true"),
        ({"start": 500, "length": 13}, "beyond the 64 bytes"),
        ({"start": 504, "length": 2, "order": "big"}, "beyond the 64 bytes"),
        ({"length": 65}, "length"),
        ({"colour": 1}, "extra_forbidden"),
    ],
)
def test_signals_that_make_no_sense_are_refused(signal: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        can.Options(**FAST, channel="can0", signals=[{**RPM[0], **signal}])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"signals": RPM * 2}, "two signals have the same name"),
        ({"channel": "a/b"}, "channel"),
        ({"channel": "much-too-long-a-name"}, "channel"),
        ({"bitrate": 9600}, "bitrate"),
        ({"bitrate": 83333}, "adapters have 10000, 20000,"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        can.Options(**{**FAST, "channel": "can0", "signals": RPM, **options})


def test_it_needs_can_sockets_or_its_port_alone() -> None:
    def needed(channel: str) -> Needs:
        return can.needs(can.Options(**FAST, channel=channel, signals=RPM))

    assert needed("can0") == Needs(can=True)
    assert needed("/dev/null") == Needs(devices=("/dev/null",))
