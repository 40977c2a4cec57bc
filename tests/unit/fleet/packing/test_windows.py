"""Sounds as windows: what a .wav file holds is what numpy then reads."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import InputRejected
from agent.fleet.packing.windows import npy_of_wav
from agent.npy import parse_npy


def sound(samples: list[int], channels: int, width: int = 2) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(b"".join(one.to_bytes(width, "little", signed=width > 1) for one in samples))
    return out.getvalue()


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=40), st.integers(1, 3))
def test_each_sample_becomes_a_number_from_minus_one_to_one(samples: list[int], channels: int) -> None:
    whole = samples * channels
    content = npy_of_wav(sound(whole, channels), "a.wav")
    expected = (np.array(whole, np.float32) / 32768).reshape(-1, channels)
    for read in (parse_npy(content), np.load(io.BytesIO(content))):
        assert (read.dtype, read.shape) == (np.float32, expected.shape)
        assert np.array_equal(read, expected)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is no sound that we read: it is cut short"),
        (b"RIFF\0\0\0\0WAVE", "it is no sound that we read"),
        (sound([1, 2], 1, width=1), "it has 2 samples of 8 bits"),
        (sound([], 1), "it has 0 samples of 16 bits"),
    ],
)
def test_what_is_no_such_sound_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(InputRejected, match=said):
        npy_of_wav(content, "a.wav")


@given(st.binary(max_size=80), st.integers(0, 44))
def test_a_sound_that_is_damaged_or_cut_is_refused_or_read(junk: bytes, at: int) -> None:
    whole = sound([1, -1, 5, 7], 2)
    for content in (junk, whole[:at] + junk, whole[: at + len(junk)]):
        try:
            assert parse_npy(npy_of_wav(content, "a.wav")).ndim == 2
        except InputRejected as refused:
            told = str(refused)
            assert "\n" not in told
