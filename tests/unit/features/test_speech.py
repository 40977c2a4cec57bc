"""The speech features, against the constants and the words of those who trained with them."""

from __future__ import annotations

import hashlib
import wave
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent.backends import tflite
from agent.features.speech import _GAINS, _HANN, _WEIGHTS, BANDS, HOP, LENGTH, SpeechFeatures

if TYPE_CHECKING:
    from pathlib import Path

    from agent.types import Array

LABELS = ("silence", "unknown", "yes", "no")
# SHA-256 of the 49 x 40 bytes that audio_preprocessor_int8.tflite makes of a second, frame after frame, run
# by the package tflite-micro 0.dev20261023182759.
THEIRS = {
    "yes": "83077a32cd04b7bc28bb923faef883207fa9fad6513d2bcb526c9c3660a96c8d",
    "no": "b227fe08a61ade78fb3b7ea112bd117842a0dedc31861867c21341d121f91433",
    "noise": "54544e9be2e867b6966a82167141628c580a29a575b34fc8d7645bb6886f4878",
    "silence": "5c466a1b76708f86173fe170d5a6cea10e53d01c573a36ffa01ef64212a84838",
}
OF_THE_TUNE = "234bc13ff71cf5d260280bf66784a05dd32594aa7006d554b0fa3653410d61be"


def tone(hertz: float, count: int = 16000, level: float = 8000) -> Array:
    return (level * np.sin(2 * np.pi * hertz * np.arange(count) / 16000)).astype(np.int16)


def tune() -> Array:
    """A second of tones that rise and swell, with noise, in integers alone: the same on any machine."""
    made, state, phase = [], 1, 0
    for number in range(16000):
        state = (1103515245 * state + 12345) % 2**31
        phase = (phase + 200 + number // 4) % 65536
        made.append((abs(phase - 32768) - 16384) * (number // 1600) // 10 + state // 2**16 % 200 - 100)
    return np.array(made, np.int16)


def sound(shared: Path, name: str) -> Array:
    with wave.open(str(shared / f"models/media/{name}_1000ms.wav")) as file:
        return np.frombuffer(file.readframes(16000), "<i2")


def test_a_tune_makes_the_very_bytes_that_the_public_preprocessor_makes() -> None:
    assert hashlib.sha256(SpeechFeatures()(tune()).tobytes()).hexdigest() == OF_THE_TUNE


@pytest.mark.shared
@pytest.mark.parametrize("name", THEIRS)
def test_a_recording_makes_the_very_bytes_that_the_public_preprocessor_makes(shared: Path, name: str) -> None:
    made = SpeechFeatures()(sound(shared, name))
    assert hashlib.sha256(made.tobytes()).hexdigest() == THEIRS[name]


@pytest.mark.shared
@pytest.mark.parametrize("name", [*THEIRS, "tune"])
def test_the_public_preprocessor_run_beside_ours_differs_nowhere(shared: Path, name: str) -> None:
    runtime = pytest.importorskip("tflite_micro", reason="pip install tflite-micro to run it").runtime
    theirs = runtime.Interpreter.from_file(str(shared / "models/audio_preprocessor_int8.tflite"))
    samples = tune() if name == "tune" else sound(shared, name)
    for row, at in zip(SpeechFeatures()(samples), range(0, 16000, HOP), strict=False):
        theirs.set_input(samples[at : at + LENGTH].reshape(1, -1), 0)
        theirs.invoke()
        np.testing.assert_array_equal(row, theirs.get_output(0).reshape(-1))


def test_a_second_makes_forty_nine_rows_of_forty_bytes() -> None:
    made = SpeechFeatures()(tone(440))
    assert (made.shape, made.dtype.name) == ((49, BANDS), "int8")


def test_silence_is_the_least_that_can_be_stored() -> None:
    assert (SpeechFeatures()(np.zeros(LENGTH, np.int16)) == -128).all()


@pytest.mark.parametrize("level", [-32768, 32767])
def test_the_loudest_samples_are_taken(level: int) -> None:
    square = np.where(np.arange(16000) // 20 % 2 == 0, level, -level - 1).astype(np.int16)
    made = SpeechFeatures()(square)
    assert made[0].max() > 100


def test_a_tone_is_loudest_in_its_own_band() -> None:
    for band in (5, 20, 39):
        hertz = float(_WEIGHTS[:, band].argmax()) * 16000 / 512
        assert abs(int(SpeechFeatures()(tone(hertz, LENGTH)).argmax()) - band) <= 1


def test_noise_that_stays_is_taken_off() -> None:
    hiss = np.random.default_rng(3).normal(0, 1000, 10 * 16000).astype(np.int16)
    made = SpeechFeatures()(hiss)
    assert made[:10].mean() > made[-100:].mean() + 30


def test_what_comes_in_pieces_is_what_comes_at_once() -> None:
    speech = SpeechFeatures()
    samples = tone(700)
    cut = 20 * HOP
    pieces = [speech(samples[: cut + LENGTH - HOP]), speech(samples[cut:])]
    np.testing.assert_array_equal(np.concatenate(pieces), SpeechFeatures()(samples))


def test_less_than_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="479 samples hold no frame"):
        SpeechFeatures()(np.zeros(LENGTH - 1, np.int16))


@pytest.mark.shared
def test_the_weights_are_those_in_the_public_preprocessor(shared: Path) -> None:
    held = (shared / "models/audio_preprocessor_int8.tflite").read_bytes()
    assert _HANN.astype("<i2").tobytes() in held
    # The original keeps four numbers an octave, the last of them 0, and two for noise of 0 and 1.
    gains = [*_GAINS[:2, 0], *(number for row in _GAINS[2:] for number in (*row, 0))]
    assert np.array(gains, "<i2").tobytes() in held
    for row in _WEIGHTS.T:
        inside, peak = np.flatnonzero(row), int(row.argmax())
        for side in (row[inside[0] : peak], row[peak + 1 : inside[-1] + 1]):
            assert side.astype("<i2").tobytes() in held


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "said"), [("yes", "yes"), ("no", "no"), ("noise", "silence"), ("silence", "silence")]
)
def test_micro_speech_hears_what_its_makers_test_expects(shared: Path, name: str, said: str) -> None:
    samples = sound(shared, name)
    model = (shared / "models/micro_speech_quantized.tflite").read_bytes()
    backend = tflite.build(tflite.Options(), model)
    try:
        (scores,) = backend.infer([SpeechFeatures()(samples).reshape(1, -1)])
    finally:
        backend.close()
    assert LABELS[int(scores.argmax())] == said
