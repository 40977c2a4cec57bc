"""What is asked of a Modbus unit, and what its answers mean: checked against pymodbus."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU, ExceptionResponse
from pymodbus.pdu.bit_message import ReadCoilsResponse, ReadDiscreteInputsResponse
from pymodbus.pdu.register_message import ReadHoldingRegistersResponse, ReadInputRegistersResponse

from agent.sources.fieldbus.registers import NoAnswer, Plan, Request, requests, words
from agent.sources.fieldbus.rtu import crc16, framed
from agent.sources.fieldbus.tables import Register

ANSWERS: dict[str, Any] = {
    "coil": ReadCoilsResponse,
    "discrete": ReadDiscreteInputsResponse,
    "holding": ReadHoldingRegistersResponse,
    "input": ReadInputRegistersResponse,
}
TYPES = ["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
NUMBERS: dict[str, st.SearchStrategy[Any]] = {
    **{f"int{bits}": st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (16, 32, 64)},
    **{f"uint{bits}": st.integers(0, (1 << bits) - 1) for bits in (16, 32, 64)},
    "float32": st.floats(width=32, allow_nan=False),
    "float64": st.floats(allow_nan=False),
}


def register(address: int, kind: str = "holding", **more: Any) -> Register:
    return Register(name=f"{kind} {address}", address=address, kind=kind, **more)


@st.composite
def lists(draw: st.DrawFn) -> list[Register]:
    found = []
    for number in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(["coil", "discrete", "holding", "input"]))
        more = {} if kind in {"coil", "discrete"} else {"type": draw(st.sampled_from(TYPES))}
        address = draw(st.integers(0, 40) | st.integers(0, 0xFFFF - 4))
        found.append(Register(name=str(number), address=address, kind=kind, **more))
    return found


@given(lists())
def test_requests_ask_for_all_values_whole_and_for_nothing_else(registers: list[Register]) -> None:
    asked = requests(registers)
    wanted = {(one.kind, one.address + word) for one in registers for word in range(words(one))}
    covered = [(one.kind, one.first + word) for one in asked for word in range(one.count)]
    assert {*covered} == wanted
    assert len(covered) == len(wanted)  # nothing is asked for twice while one request takes it
    for one in registers:
        assert any(
            it.kind == one.kind
            and it.first <= one.address
            and one.address + words(one) <= it.first + it.count
            for it in asked
        )


def test_what_lies_side_by_side_is_one_request_up_to_the_most_that_one_may_ask_for() -> None:
    assert requests([register(at) for at in range(125)]) == [Request("holding", 0, 125)]
    assert [one.count for one in requests([register(at) for at in range(126)])] == [125, 1]
    wide = requests([register(at, type="float64") for at in range(0, 128, 4)])
    assert [(one.first, one.count) for one in wide] == [(0, 124), (124, 4)]
    bits = requests([register(at, "coil") for at in range(2001)])
    assert [one.count for one in bits] == [2000, 1]


@given(st.sampled_from([*ANSWERS]), st.integers(0, 0xFFFF), st.integers(1, 125))
def test_a_request_is_what_pymodbus_sends(kind: str, first: int, count: int) -> None:
    pdu = Request(kind, first, min(count, 0x10000 - first)).pdu
    theirs = DecodePDU(True).decode(pdu)
    assert theirs is not None
    assert bytes([theirs.function_code]) + theirs.encode() == pdu
    assert (theirs.address, theirs.count) == (first, min(count, 0x10000 - first))


@given(st.data())
def test_numbers_are_those_that_pymodbus_wrote(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(TYPES))
    order: Any = data.draw(st.sampled_from(["big", "little"]))
    value = data.draw(NUMBERS[kind])
    names = ModbusClientMixin.DATATYPE
    held = ModbusClientMixin.convert_to_registers(value, names[kind.upper()], word_order=order)
    plan = Plan([Register(name="x", address=5, type=kind, word_order=order)])
    pdu = ReadHoldingRegistersResponse(registers=held)
    answer = plan.requests[0].data(bytes([3]) + pdu.encode())
    assert plan.values([answer]) == (float(value),)


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_bits_are_those_that_pymodbus_wrote(bits: list[bool]) -> None:
    plan = Plan([register(100 + at, "coil") for at in range(len(bits))])
    pdu = ReadCoilsResponse(bits=[*bits])
    assert plan.values([plan.requests[0].data(bytes([1]) + pdu.encode())]) == tuple(map(float, bits))


def test_values_are_scaled_and_stand_in_the_order_asked_for() -> None:
    plan = Plan(
        [register(7, scale=0.1, offset=-40), register(3, "input", type="int16"), register(6, scale=2)]
    )
    assert plan.requests == [Request("holding", 6, 2), Request("input", 3, 1)]
    assert plan.values([bytes([0, 5, 1, 0]), b"\xff\xfe"]) == pytest.approx((256 * 0.1 - 40, -2, 10))


@pytest.mark.parametrize(
    ("code", "told", "lasting"),
    [(2, "it has no such address", True), (6, "it is busy", False), (99, "it refuses", False)],
)
def test_an_exception_says_what_it_means_and_whether_it_will_last(
    code: int, told: str, lasting: bool
) -> None:
    pdu = ExceptionResponse(3, code)
    with pytest.raises(NoAnswer, match=rf"holding register 0x10 to 0x11: {told} \(exception {code}\)") as why:
        Request("holding", 0x10, 2).data(bytes([pdu.function_code]) + pdu.encode())
    assert why.value.lasting is lasting


@given(st.sampled_from([*ANSWERS]), st.integers(1, 125), st.binary(max_size=260))
def test_no_bytes_are_taken_for_an_answer_of_another_length_or_kind(
    kind: str, count: int, pdu: bytes
) -> None:
    request = Request(kind, 0, count)
    try:
        data = request.data(pdu)
    except NoAnswer:
        return
    assert len(data) == ((count + 7) // 8 if kind in {"coil", "discrete"} else 2 * count)
    assert pdu[0] == {"coil": 1, "discrete": 2, "holding": 3, "input": 4}[kind]


@given(st.integers(0, 255), st.binary(min_size=1, max_size=253))
def test_a_frame_on_the_line_has_the_checksum_of_pymodbus(unit: int, pdu: bytes) -> None:
    frame = framed(unit, pdu)
    assert FramerRTU.compute_CRC(frame[:-2]) == int.from_bytes(frame[-2:], "big")
    assert crc16(frame) == 0  # which is how receivers check it
