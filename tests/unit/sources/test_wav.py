"""WAV files: each encoding, and what is none."""

from __future__ import annotations

import struct
from contextlib import closing
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import InputRejected, SourceEnded
from agent.sources import wav
from agent.sources.sampling import wav as wav_file

if TYPE_CHECKING:
    from pathlib import Path

    from agent.types import Array


def riff(
    data: bytes, *, kind: int = 1, bits: int = 16, channels: int = 1, rate: int = 8000, junk: bytes = b""
) -> bytes:
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * block, block, bits)
    extra = b"LIST" + struct.pack("<I", len(junk)) + junk + b"\0" * (len(junk) % 2) if junk else b""
    parts = b"fmt " + struct.pack("<I", 16) + form + extra + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WAVE" + parts


def play(folder: Path, content: bytes, **options: Any) -> tuple[list[Array], str]:
    path = folder / "sound.wav"
    path.write_bytes(content)
    found: list[Array] = []
    told = wav.Options(**{"path": str(path), "window": 4, **options})
    with closing(wav.build(told, start=0)) as source:
        while True:
            try:
                frame = source.read(10)
            except SourceEnded as end:
                return found, str(end)
            assert frame is not None
            found.append(frame.data.copy())


WHOLE = [-1.0, -0.5, 0.0, 0.5]


@pytest.mark.parametrize(
    ("data", "kind", "bits"),
    [
        (bytes([0, 64, 128, 192]), 1, 8),
        (struct.pack("<4h", -(2**15), -(2**14), 0, 2**14), 1, 16),
        (b"".join(int(x * 2**23).to_bytes(3, "little", signed=True) for x in WHOLE), 1, 24),
        (struct.pack("<4i", -(2**31), -(2**30), 0, 2**30), 1, 32),
        (struct.pack("<4f", *WHOLE), 3, 32),
        (struct.pack("<4d", *WHOLE), 3, 64),
    ],
)
def test_full_scale_is_one_in_each_encoding(tmp_path: Path, data: bytes, kind: int, bits: int) -> None:
    (window,), _ = play(tmp_path, riff(data, kind=kind, bits=bits))
    assert window.tolist() == [[value] for value in WHOLE]


def test_channels_stand_side_by_side_and_other_parts_are_passed_over(tmp_path: Path) -> None:
    data = np.arange(8, dtype="<i2").tobytes()
    (window,), _ = play(tmp_path, riff(data, channels=2, junk=b"odd"))
    assert (window * 2**15).tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_long_files_are_read_in_pieces(tmp_path: Path) -> None:
    data = np.arange(20_000, dtype="<i2")
    found, end = play(tmp_path, riff(data.tobytes(), rate=44100), window=1000)
    np.testing.assert_array_equal(np.concatenate(found)[:, 0] * 2**15, data)
    assert end.endswith("20 windows")


@pytest.mark.parametrize("rate", [4000, 16000])
def test_another_rate_is_interpolated(tmp_path: Path, rate: int) -> None:
    found, _ = play(tmp_path, riff(np.arange(0, 800, 2, dtype="<i2").tobytes()), rate=rate, window=16)
    expected = np.arange(16) * 2 * 8000 / rate
    np.testing.assert_allclose(found[0][:, 0] * 2**15, expected, atol=1e-3)
    assert len(found) == (399 * rate // 8000 + 1) // 16


def test_a_file_that_was_cut_short_says_so_at_its_end(tmp_path: Path) -> None:
    found, end = play(tmp_path, riff(bytes(200))[:-101])
    assert len(found) == 12
    assert "ends early: 49 of 100 samples" in end


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"OggS" + bytes(40), "it is no WAV file"),
        (b"RIFF\0\0\0\0WAVE", "it has no samples"),
        (riff(b"", bits=16), "it has no samples"),
        (riff(bytes(8), kind=2, bits=4), "neither linear PCM nor float"),
        (riff(bytes(8), rate=0), "its header is damaged"),
        (riff(bytes(8)).replace(b"fmt ", b"fmt_"), "does not say how"),
    ],
)
def test_what_is_no_such_file_is_refused_with_a_way_out(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(InputRejected, match=told):
        play(tmp_path, content)


def test_a_rate_far_beyond_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRejected, match="8000 samples a second cannot become 1e\\+06"):
        play(tmp_path, riff(bytes(8)), rate=1e6)


@given(st.binary(max_size=80), st.integers(0, 60), st.binary(max_size=4))
def test_no_header_can_do_more_than_be_refused(tail: bytes, at: int, change: bytes) -> None:
    whole = riff(bytes(20), junk=b"x")
    for content in (b"RIFF\0\0\0\0WAVE" + tail, whole[:at] + change + whole[at + len(change) :]):
        file = BytesIO(content)
        try:
            form = wav_file.layout(file)
        except ValueError:
            continue
        total = sum(
            len(chunk[1]) for chunk in wav_file.read_samples(file, form) if not isinstance(chunk, str)
        )
        assert total == form.count <= len(content)
