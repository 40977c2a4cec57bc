"""The level gate: windows that are loud pass, and those soon after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import InputRejected
from agent.gates.level import LevelGate, Options, build
from agent.types import Frame

if TYPE_CHECKING:
    from agent.types import Array


def gate(**options: object) -> LevelGate:
    return build(Options.model_validate({"threshold": 0.1, "hold_s": 0, **options}))


def passes(one: LevelGate, window: Array, at_s: float = 0.0) -> bool:
    return one.admit(Frame(0, round(at_s * 1e9), window)) is not None


def tone(amplitude: float, offset: float = 0.0) -> Array:
    """Give 100 samples of a tone in the second of two channels."""
    wave = amplitude * np.sin(np.arange(100) * 2 * np.pi / 10) + offset
    return np.stack([np.full(100, offset), wave], axis=1).astype(np.float32)


@given(st.floats(0.001, 10), st.floats(0.001, 10))
def test_a_window_passes_from_the_threshold_on(amplitude: float, threshold: float) -> None:
    rms = amplitude / 2**0.5
    if abs(rms / threshold - 1) > 1e-3:
        assert passes(gate(threshold=threshold), tone(amplitude)) == (rms > threshold)
    peak = amplitude * np.sin(2 * np.pi / 10 * 2)
    if abs(peak / threshold - 1) > 1e-3:
        assert passes(gate(threshold=threshold, measure="peak"), tone(amplitude)) == (peak > threshold)


def test_an_offset_does_not_count_unless_it_is_to() -> None:
    assert not passes(gate(), tone(0.05, offset=9.81))
    assert passes(gate(center=False), tone(0.05, offset=9.81))


def test_windows_pass_for_a_while_after_a_loud_one_and_then_when_they_are_due() -> None:
    one = gate(hold_s=1, every_s=10)
    loud = [passes(one, tone(1.0 if at == 2 else 0.0), at / 2) for at in range(30)]
    assert [at for at, there in enumerate(loud) if there] == [0, 2, 3, 23]


def test_a_window_of_one_dimension_is_one_channel() -> None:
    assert passes(gate(), np.array([1, -1], np.float32))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (np.zeros((4, 4, 3), np.uint8), "uint8 [4, 4, 3] is no window of samples"),
        (np.zeros((0, 2), np.float32), "float32 [0, 2] is no window of samples"),
        (np.array([0, np.nan], np.float32), "the window holds what is not finite"),
        (np.array([0, np.inf], np.float32), "the window holds what is not finite"),
    ],
)
def test_what_is_no_window_of_numbers_is_refused(data: Array, problem: str) -> None:
    with pytest.raises(InputRejected) as caught:
        passes(gate(), data)
    assert caught.value.problem == problem
