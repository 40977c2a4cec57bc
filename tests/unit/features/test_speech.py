"""The speech features, against the constants and the words of those who trained with them."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent.backends import tflite
from agent.features.speech import BANDS, HOP, LENGTH, SpeechFeatures, _band_weights

if TYPE_CHECKING:
    from pathlib import Path

    from agent.types import Array

LABELS = ("silence", "unknown", "yes", "no")


def tone(hertz: float, count: int = 16000, level: float = 8000) -> Array:
    return (level * np.sin(2 * np.pi * hertz * np.arange(count) / 16000)).astype(np.int16)


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
        hertz = float(_band_weights()[band].argmax()) * 16000 / 512
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
    assert SpeechFeatures()._hann.astype("<i2").tobytes() in held
    for row in _band_weights():
        inside, peak = np.flatnonzero(row), int(row.argmax())
        for side in (row[inside[0] : peak], row[peak + 1 : inside[-1] + 1]):
            assert side.astype("<i2").tobytes() in held


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "said"), [("yes", "yes"), ("no", "no"), ("noise", "silence"), ("silence", "silence")]
)
def test_micro_speech_hears_what_its_makers_test_expects(shared: Path, name: str, said: str) -> None:
    with wave.open(str(shared / f"models/media/{name}_1000ms.wav")) as file:
        samples = np.frombuffer(file.readframes(16000), "<i2")
    model = (shared / "models/micro_speech_quantized.tflite").read_bytes()
    backend = tflite.build(tflite.Options(), model)
    try:
        (scores,) = backend.infer([SpeechFeatures()(samples).reshape(1, -1)])
    finally:
        backend.close()
    assert LABELS[int(scores.argmax())] == said
