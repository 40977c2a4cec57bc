"""A Modbus unit that pymodbus plays, what a source of it may be asked for, and what that needs."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from agent.errors import ExtraMissing, SourceLost
from agent.sources import modbus
from agent.types import Needs
from tests.simulators.modbus_units import UNIT, served

if TYPE_CHECKING:
    from agent.types import Source

EVERY = [
    {"name": "flow", "address": 0x10, "type": "float32"},
    {"name": "level", "address": 0x12, "type": "int16"},
    {"name": "hours", "address": 0x13, "type": "uint32"},
    {"name": "swapped", "address": 0x13, "type": "uint32", "word_order": "little"},
    {"name": "temperature", "address": 0x100, "kind": "input", "scale": 0.1, "offset": 1},
    {"name": "valve", "address": 9, "kind": "coil"},
    {"name": "door", "address": 41, "kind": "discrete"},
]
VALUES = [1.5, -7, 0x10002, 0x20001, 22.5, 1, 0]
ONE = [{"name": "speed", "address": 3, "type": "int16"}]


def unit(registers: Any, **options: Any) -> Source:
    given = {"rate": 500, "max_gap_s": 30, "timeout_s": 5, "unit": UNIT, "registers": registers, **options}
    return modbus.build(modbus.Options(**given), start=4)


def test_a_unit_is_read_over_tcp_and_on_a_line_all_tables_in_the_order_asked_for() -> None:
    with served() as where:
        for way in (
            {"host": "localhost", "port": where.port},
            {"device": where.line, "baud": 115200, "parity": "none"},
        ):
            with closing(unit(EVERY, window=2, **way)) as source:
                frame = source.read(10)
                assert frame is not None
                assert (frame.seq, frame.data.tolist()) == (4, [VALUES, VALUES])


def test_what_a_unit_does_not_have_is_a_loss_that_says_so() -> None:
    with (
        served() as where,
        closing(unit(ONE, window=1, host="127.0.0.1", port=where.port)) as source,
        pytest.raises(SourceLost, match=r"register 0x3: it has no such address.*so 40001 is holding 0"),
    ):
        source.read(5)


def test_without_pyserial_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(ExtraMissing, match=r"edge-inference-agent\[serial\]"):
        modbus.build(modbus.Options(rate=1, window=1, registers=ONE, device="/dev/ttyNONE"), start=0)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "give host for a unit over TCP"),
        ({"host": "a", "device": "/dev/ttyS0"}, "give host for a unit over TCP"),
        ({"host": "a b"}, "host"),
        ({"device": "ttyS0"}, "device"),
        ({"host": "a", "registers": [*ONE, *ONE]}, "two registers have the same name"),
        ({"host": "a", "registers": []}, "registers"),
        ({"host": "a", "registers": [{"name": "x", "address": 0xFFFF, "type": "int32"}]}, "beyond the last"),
        (
            {"host": "a", "registers": [{"name": "x", "address": 1, "kind": "coil", "type": "int16"}]},
            "a coil is one bit",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        modbus.Options(**{"rate": 1, "window": 1, "registers": ONE, **options})


def test_it_needs_a_network_or_its_port_alone() -> None:
    def needed(**options: Any) -> Needs:
        return modbus.needs(modbus.Options(rate=1, window=1, registers=ONE, **options))

    assert needed(host="plc") == Needs(network=True)
    assert needed(device="/dev/null") == Needs(devices=("/dev/null",))
