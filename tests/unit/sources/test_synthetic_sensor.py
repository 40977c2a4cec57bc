"""The synthetic sensor: its windows, and the machine behind them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.sources import synthetic_sensor
from agent.sources.synthesis.episodes import FAULTS, episode
from agent.sources.synthesis.vibration import BLOCK, Vibration, build

if TYPE_CHECKING:
    from agent.types import Array

RATE = 1600.0


def windows(count: int, start: int = 0, **options: Any) -> Array:
    source = synthetic_sensor.build(synthetic_sensor.Options(speed=0, **options), start=start)
    found = []
    for number in range(count):
        frame = source.read(0)
        assert frame is not None
        assert frame.seq == start + number
        found.append(frame.data.copy())
    return np.array(found)


def stretch(machine: Vibration, start: int, samples: int) -> Array:
    made = np.empty((samples, 3), np.float32)
    machine.window(start, made)
    return made


def spectrum(signal: Array) -> tuple[Array, Array]:
    """Give frequencies and the amplitudes (frequencies, axes) of a Hann-windowed signal."""
    shape = np.hanning(len(signal))[:, None]
    amplitudes = np.abs(np.fft.rfft(signal * shape, axis=0)) * 2 / shape.sum()
    return np.fft.rfftfreq(len(signal), 1 / RATE), amplitudes


def peak(signal: Array, order: float, axis: int, speed: float) -> float:
    """Give the largest amplitude within 3 % of a multiple of the shaft's speed."""
    frequencies, amplitudes = spectrum(signal)
    near = np.abs(frequencies - order * speed) < max(0.03 * order * speed, 1.5)
    return float(amplitudes[near, axis].max())


def severe(fault: str, seed: int = 0, samples: int = 4096) -> tuple[Array, Array]:
    """Give a stretch with a fault at its worst, and the same of a machine without it."""
    machine, well = Vibration(RATE, seed, 0.0, 1.0), Vibration(RATE, seed, 0.0, 0.0)
    cycle = next(c for c in range(5) if episode(seed, c, 1.0).fault == fault)
    start = cycle * machine.cycle + machine.cycle // 2
    assert machine.truth(start, samples).fault == fault
    return stretch(machine, start, samples), stretch(well, start, samples)


def test_windows_are_float32_of_samples_by_three_axes_in_one_buffer() -> None:
    source = synthetic_sensor.build(synthetic_sensor.Options(speed=0, window=100), start=0)
    first, second = source.read(0), source.read(0)
    assert first is not None
    assert second is not None
    assert (first.data.dtype.name, first.data.shape) == ("float32", (100, 3))
    assert first.data is second.data


@given(st.integers(0, 400), st.integers(16, 1500), st.integers(1, 900), st.integers(0, 3))
def test_overlapping_windows_hold_the_same_samples_wherever_the_source_starts(
    start: int, window: int, hop: int, seed: int
) -> None:
    options = {"window": window, "hop": hop, "seed": seed, "faults": 0.8}
    found = windows(3, start, **options)
    whole = stretch(Vibration(RATE, seed, 0.02, 0.8), start * hop, window + 2 * hop)
    for number, one in enumerate(found):
        np.testing.assert_array_equal(one, whole[number * hop : number * hop + window])
    np.testing.assert_array_equal(windows(1, start + 1, **options)[0], found[1])


def test_a_seed_is_a_machine() -> None:
    np.testing.assert_array_equal(windows(2, seed=7), windows(2, seed=7))
    assert (windows(2, seed=7) != windows(2, seed=8)).mean() > 0.99


def test_the_shaft_turns_on_without_a_jump_from_block_to_block() -> None:
    seed = next(seed for seed in range(99) if build(seed).speed < 24.8)  # no whole number of turns a block
    signal = stretch(Vibration(RATE, seed, 0.0, 0.0), 0, 100 * BLOCK)[:, 0]
    turning = signal * np.exp(-1j * math.tau * build(seed).speed / RATE * np.arange(len(signal)))
    phases = np.unwrap(np.angle(turning.reshape(-1, 128).mean(axis=1)))
    assert np.abs(np.diff(phases)).max() < 0.3


def test_the_healthy_machine_shows_its_shaft_and_its_gear_and_nothing_between() -> None:
    signal = stretch(Vibration(RATE, 0, 0.0, 0.0), 5000, 4096)
    speed = build(0).speed
    assert peak(signal, 1, 0, speed) == pytest.approx(0.12, rel=0.5)
    assert peak(signal, 23, 0, speed) > 0.02
    assert peak(signal, 12, 0, speed) < 0.001


def test_the_noise_has_the_standard_deviation_asked_for_and_is_coloured() -> None:
    noisy, still = (stretch(Vibration(RATE, 5, noise, 0.0), 0, 60_000) for noise in (0.05, 0.0))
    noise = noisy.astype(np.float64) - still
    assert noise.std() == pytest.approx(0.05 * build(5).noise, rel=0.05)
    _, amplitudes = spectrum(noise)
    assert amplitudes[100:9000].mean() > 2 * amplitudes[-9000:].mean()


def test_the_load_changes_the_level_and_the_speed_drifts() -> None:
    signal = stretch(Vibration(RATE, 2, 0.0, 0.0), 0, int(120 * RATE))
    levels = [part.std() for part in np.array_split(signal[:, 0], 60)]
    assert max(levels) > 1.15 * min(levels)
    frequencies, _ = spectrum(signal[: 8 * 1600])
    tops = [
        frequencies[spectrum(signal[at : at + 8 * 1600, :1])[1].argmax()] for at in range(0, 170_000, 9600)
    ]
    assert 0.1 < max(tops) - min(tops) < 1.5


@pytest.mark.parametrize(
    ("fault", "order", "axis", "factor"),
    [
        ("imbalance", 1, 0, 2.0),
        ("misalignment", 2, 2, 3.0),
        ("looseness", 0.5, 1, 20.0),
        ("looseness", 1.5, 1, 20.0),
        ("gear", 24, 0, 10.0),
    ],
)
def test_a_fault_shows_where_the_textbook_says(fault: str, order: float, axis: int, factor: float) -> None:
    faulty, well = severe(fault)
    speed = build(0).speed
    assert peak(faulty, order, axis, speed) > factor * max(peak(well, order, axis, speed), 0.0005)


def test_a_bad_bearing_gives_bursts_three_and_a_half_times_a_turn() -> None:
    faulty, well = severe("bearing")
    added = np.abs(faulty[:, 0] - well[:, 0])
    rate = 3.58 * build(0).speed
    frequencies, amplitudes = spectrum(added[:, None])
    found = frequencies[5:][amplitudes[5:, 0].argmax()]
    assert min(abs(found - rate), abs(found - 2 * rate)) < 3
    assert added.max() > 8 * np.median(added)


def test_a_loose_foot_is_held_on_one_side() -> None:
    faulty, _ = severe("looseness", samples=8000)
    assert -faulty.min() > 1.3 * faulty.max()


def test_every_fault_has_its_turn_and_takes_its_share_of_the_time() -> None:
    machine = Vibration(RATE, 4, 0.02, 0.25)
    found = [machine.truth(at, 256) for at in range(0, 5 * machine.cycle, 256)]
    assert {one.fault for one in found} == {"", *FAULTS}
    assert np.mean([one.severity > 0 for one in found]) == pytest.approx(0.25, abs=0.03)
    worst = {fault: max(one.severity for one in found if one.fault == fault) for fault in FAULTS}
    assert all(0.6 <= severity <= 1 for severity in worst.values())
    assert all((one.fault == "") == (one.severity == 0) for one in found)


def test_a_fault_grows_within_a_second_and_what_is_mended_is_as_before() -> None:
    machine, well = Vibration(RATE, 1, 0.02, 0.25), Vibration(RATE, 1, 0.02, 0.0)
    severity = np.array([machine.truth(at, 16).severity for at in range(0, machine.cycle, 16)])
    [begin, *_, end] = np.flatnonzero(severity).tolist()
    full = int(severity.argmax())
    assert 0.3 < (full - begin) * 16 / RATE < 1
    assert (np.diff(severity[begin:full]) >= 0).all()
    for start, stop in ((0, begin * 16), ((end + 1) * 16, machine.cycle)):
        mine, theirs = (stretch(one, start, stop - start) for one in (machine, well))
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(("faults", "share"), [(0.0, 0.0), (1.0, 1.0)])
def test_faults_can_be_switched_off_or_last_for_ever(faults: float, share: float) -> None:
    machine = Vibration(RATE, 1, 0.02, faults)
    found = [machine.truth(at, 64).severity > 0 for at in range(0, 2 * machine.cycle, 64)]
    assert np.mean(found) == share


@given(st.integers(0, 40_000), st.integers(1, 2000))
def test_the_truth_of_a_window_is_the_worst_of_its_samples(start: int, samples: int) -> None:
    machine = Vibration(RATE, 6, 0.02, 0.7)
    parts = [machine.truth(at, 1) for at in range(start, start + samples, max(1, samples // 40))]
    found = machine.truth(start, samples)
    assert found.severity >= max(one.severity for one in parts)
    assert found.severity == pytest.approx(max(one.severity for one in parts), abs=0.05)


def test_it_keeps_its_pace_by_hop_and_speed() -> None:
    options = synthetic_sensor.Options(window=16, hop=160, speed=4)  # 25 ms
    source = synthetic_sensor.build(options, start=0)
    frames = [source.read(1) for _ in range(5)]
    stamps = [frame.captured_ns / 1e9 for frame in frames if frame is not None]
    assert len(stamps) == 5
    assert stamps[-1] - stamps[0] >= 0.095
    assert source.live


@pytest.mark.parametrize("wrong", [{"rate": 100}, {"hop": 0}, {"faults": 1.1}, {"noise": math.nan}])
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        synthetic_sensor.Options(**wrong)
