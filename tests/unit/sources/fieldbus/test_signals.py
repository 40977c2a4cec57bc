"""What the bytes of CAN messages mean: checked against cantools, which reads DBC files."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from cantools.database import load_string
from cantools.database.can import Message as Reference
from cantools.database.can import Signal as ReferenceSignal
from hypothesis import given
from hypothesis import strategies as st

from agent.sources.fieldbus.signals import Message, Signals, end, raw
from agent.sources.fieldbus.tables import Signal

ORDERS = {"little": "little_endian", "big": "big_endian"}


@st.composite
def placed(draw: st.DrawFn) -> tuple[int, int, int, str, bool]:
    """Give bytes of a message, and a signal that fits: start, length, order, sign."""
    size = draw(st.integers(1, 8) | st.sampled_from([12, 64]))
    order = draw(st.sampled_from([*ORDERS]))
    first = draw(st.integers(0, 8 * size - 1))
    length = draw(st.integers(1, min(64, 8 * size - first)))
    start = first if order == "little" else first - first % 8 + 7 - first % 8
    return size, start, length, order, draw(st.booleans())


@given(placed(), st.data())
def test_a_signal_is_the_number_that_cantools_reads(
    where: tuple[int, int, int, str, bool], data: st.DataObject
) -> None:
    size, start, length, order, signed = where
    held = data.draw(st.binary(min_size=size, max_size=size))
    theirs = ReferenceSignal("x", start, length, byte_order=ORDERS[order], is_signed=signed)  # type: ignore[arg-type]
    message = Reference(1, "m", size, [theirs], strict=True)
    found: Any = message.decode(held, scaling=False)
    assert raw(held, start, length, big=order == "big", signed=signed) == found["x"]
    assert end(start, length, big=order == "big") <= size


@given(placed())
def test_a_signal_ends_in_the_last_byte_that_cantools_lets_it_have(
    where: tuple[int, int, int, str, bool],
) -> None:
    _, start, length, order, signed = where
    theirs = ReferenceSignal("x", start, length, byte_order=ORDERS[order], is_signed=signed)  # type: ignore[arg-type]
    needed = end(start, length, big=order == "big")
    Reference(1, "m", needed, [theirs], strict=True)
    if needed > 1:
        with pytest.raises(Exception, match="does not fit"):
            Reference(1, "m", needed - 1, [theirs], strict=True)


def signal(name: str, number: int, **more: Any) -> Signal:
    return Signal(**{"name": name, "id": number, "start": 0, "length": 8, **more})


def message(number: int, data: bytes, at_s: float = 0, *, extended: bool = False) -> Message:
    return Message((number, extended), data, round(at_s * 1e9))


def test_the_last_values_of_all_signals_make_a_sample_in_the_order_asked_for() -> None:
    held = Signals(
        [signal("b", 2, scale=0.5, offset=-1), signal("a", 1), signal("c", 2, start=8, signed=True)], 2, 0
    )
    assert held.take(message(1, b"\x07")) is None
    assert held.take(message(2, b"\x04\xff")) == (1, 7, -1)
    assert held.take(message(3, b"\x04\xff")) is None
    assert held.take(message(1, b"\x08")) == (1, 8, -1)


def test_numbers_of_11_and_of_29_bits_are_different_messages() -> None:
    held = Signals([signal("a", 1, extended=True)], 2, 0)
    assert held.take(message(1, b"\x07")) is None
    assert held.take(message(1, b"\x07", extended=True)) == (7,)


def test_a_message_that_stays_away_is_named_whether_it_was_ever_seen_or_not() -> None:
    held = Signals([signal("a", 1), signal("b", 0x1ABCD, extended=True)], 2, 0)
    assert held.take(message(1, b"\x07", 1.9)) is None
    assert held.take(message(1, b"\x07", 2.5)) == "no message 0x0001abcd for 2.5 s"
    assert held.take(message(0x1ABCD, b"\x01", 2.6, extended=True)) == (7, 1)
    assert held.take(message(0x1ABCD, b"\x01", 4.6, extended=True)) == "no message 0x001 for 2.1 s"


def test_a_message_that_is_too_short_for_its_signals_is_named() -> None:
    held = Signals([signal("a", 0x123, start=7, length=16, order="big"), signal("b", 0x123)], 2, 0)
    assert held.take(message(0x123, b"\x01")) == "message 0x123 has 1 bytes, and its signals need 2"
    assert held.take(message(0x123, b"\x01\x02")) == (0x102, 1)


DBC = """
VERSION ""
BU_: ECU
BO_ 291 Engine: 8 ECU
 SG_ Speed : 0|16@1+ (0.25,0) [0|0] "rpm" ECU
 SG_ Torque : 23|12@0- (0.5,-10) [0|0] "Nm" ECU
BO_ 2594950640 Oil: 2 ECU
 SG_ Level : 3|5@1+ (1,0) [0|0] "" ECU
"""


def test_the_page_turns_a_dbc_file_into_signals_that_mean_the_same(tmp_path: Path) -> None:
    page = Path(__file__).parents[4] / "docs/fieldbus.md"
    [code] = re.findall(r"<<'END'\n(.*?)\n +END$", page.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "vehicle.dbc").write_text(DBC)
    command = [sys.executable, "-", str(tmp_path / "vehicle.dbc")]
    done = subprocess.run(command, input=dedent(code), capture_output=True, text=True, check=True)
    given = tomllib.loads(f"signals = [\n{done.stdout}]")["signals"]
    signals = [Signal(**one) for one in given]
    held = Signals(signals, 2, 0)
    engine, oil = b"\x04\x00\x80\x10\x00\x00\x00\x00", b"\xf8\x00"
    assert held.take(message(291, engine)) is None
    found = held.take(message(0x1AABCDF0, oil, extended=True))
    theirs: Any = load_string(DBC)
    told = theirs.decode_message("Engine", engine) | theirs.decode_message("Oil", oil)
    assert found == tuple(told[one.name.partition(".")[2]] for one in signals) == (1, -1033.5, 31)
