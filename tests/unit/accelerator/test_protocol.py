"""Packets between workers and an accelerator process: what is said is understood, all else is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.accelerator import protocol
from agent.accelerator.protocol import Busy, Drop, Hello, Kind, Load, Turn, answered, asked, packed
from agent.errors import MessageInvalid, ModelInvalid
from agent.processes.ipc import MAX_PACKET
from agent.types import TensorSpec

ONE = TensorSpec("x", "int8", (1, 4, 4, 3), (0.5,), (-3,))
FACTS = ("ai-edge-litert 2.3.0", "edgetpu", (5, 7))
SIXTY_FOUR = st.integers(0, (1 << 64) - 1)


@st.composite
def specs(draw: st.DrawFn) -> TensorSpec:
    count = draw(st.integers(0, 3))
    scale = draw(st.lists(st.floats(1e-9, 1e9), min_size=count, max_size=count))
    zero = draw(st.lists(st.integers(-(1 << 31), (1 << 31) - 1), min_size=count, max_size=count))
    return TensorSpec(
        draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=200)),
        draw(st.sampled_from(["bool", "int8", "uint8", "int16", "int32", "int64", "float16", "float32"])),
        tuple(draw(st.lists(st.integers(0, (1 << 31) - 1), max_size=8))),
        tuple(scale),
        tuple(zero),
        draw(st.integers(0, 7)),
    )


@given(st.sampled_from(Kind), st.integers(0, (1 << 32) - 1), SIXTY_FOUR, SIXTY_FOUR, st.text(max_size=60))
def test_a_turn_comes_out_as_it_went_in(kind: Kind, handle: int, seq: int, us: int, problem: str) -> None:
    problem = problem.encode(errors="ignore").decode() if kind is Kind.FAILED else ""
    turn = Turn(kind, handle, seq, us, problem)
    assert (asked if kind is Kind.INFER else answered)(turn.packet()) == turn


@pytest.mark.parametrize("kind", Kind)
def test_no_side_takes_the_other_sides_words(kind: Kind) -> None:
    with pytest.raises(MessageInvalid):
        (answered if kind is Kind.INFER else asked)(Turn(kind, 1, 1).packet())
    with pytest.raises(MessageInvalid):
        asked(packed(Busy(busy=True)))
    with pytest.raises(MessageInvalid):
        answered(packed(Drop(handle=1)))


@given(st.lists(specs(), min_size=1, max_size=4), st.lists(specs(), min_size=1, max_size=4))
def test_tensors_are_described_exactly(inputs: list[TensorSpec], outputs: list[TensorSpec]) -> None:
    said = answered(packed(protocol.loaded(3, tuple(inputs), tuple(outputs), FACTS)))
    assert isinstance(said, protocol.Loaded)
    assert [one.spec() for one in said.inputs] == inputs
    assert [one.spec() for one in said.outputs] == outputs
    assert (said.handle, said.delegate, said.delegated) == (3, "edgetpu", (5, 7))


@pytest.mark.parametrize(
    "message", [Load(handle=1, name="m"), Drop(handle=2)], ids=lambda message: str(message.type)
)
def test_what_a_worker_asks_is_understood(message: Load | Drop) -> None:
    assert asked(packed(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        Hello(title="liar", variant="edgetpu", native=True),
        Busy(busy=False),
        protocol.refused(4, ModelInvalid("load model", "m", "no", "Try another")),
    ],
    ids=lambda message: str(message.type),
)
def test_what_an_accelerator_says_is_understood(message: Any) -> None:
    assert answered(packed(message)) == message


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda rest: b'{"type":"load"' + rest))
def test_any_bytes_are_understood_or_refused_in_one_line(packet: bytes) -> None:
    for read in (asked, answered):
        try:
            read(packet)
        except MessageInvalid as error:
            lines = str(error).splitlines()
        else:
            continue
        assert len(lines) == 1


@given(st.integers(0, 23), st.sampled_from(Kind))
def test_half_a_turn_is_refused(length: int, kind: Kind) -> None:
    with pytest.raises(MessageInvalid):
        (asked if kind is Kind.INFER else answered)(Turn(kind, 1, 2, 3).packet()[:length])


def test_a_long_reason_is_cut_and_fits() -> None:
    said = answered(Turn(Kind.FAILED, 1, 2, problem="\U0001f916" * 90_000).packet())
    assert isinstance(said, Turn)
    assert said.problem == "\U0001f916" * 2000
    assert len(said.packet()) < MAX_PACKET


@pytest.mark.parametrize("dtype", ["str", "object", "complex64"])
def test_a_tensor_that_holds_no_numbers_is_not_described(dtype: str) -> None:
    with pytest.raises(ValueError, match="dtype"):
        protocol.loaded(1, (TensorSpec("x", dtype, (1,)),), (ONE,), FACTS)


@pytest.mark.parametrize("kind", [Kind.INFER, Kind.DONE])
def test_a_turn_with_something_behind_it_is_refused(kind: Kind) -> None:
    with pytest.raises(MessageInvalid, match="25 bytes"):
        (asked if kind is Kind.INFER else answered)(Turn(kind, 1, 2, 3).packet() + b"\0")
