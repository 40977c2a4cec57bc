"""The size of a picture, from its header."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sources.pictures.header import dimensions

KINDS = ("jpg", "png", "bmp", "webp", "ppm", "pgm")


def encoded(kind: str, width: int, height: int, *options: int) -> bytes:
    rng = np.random.default_rng(0)
    shape = (height, width) if kind == "pgm" else (height, width, 3)
    return cv2.imencode(f".{kind}", rng.integers(0, 255, shape, np.uint8), options)[1].tobytes()


@given(st.sampled_from(KINDS), st.integers(1, 300), st.integers(1, 300))
def test_it_is_what_opencv_decodes(kind: str, width: int, height: int) -> None:
    assert dimensions(encoded(kind, width, height)) == (width, height)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
        ("jpg", (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)),
        ("webp", (cv2.IMWRITE_WEBP_QUALITY, 50)),
        ("webp", (cv2.IMWRITE_WEBP_QUALITY, 101)),
        ("ppm", (cv2.IMWRITE_PXM_BINARY, 0)),
    ],
)
def test_variants_of_a_format_are_read(kind: str, options: tuple[int, ...]) -> None:
    assert dimensions(encoded(kind, 70, 50, *options)) == (70, 50)


def test_transparent_webp_pnm_comments_upside_down_and_old_bmp_are_read() -> None:
    webp = (
        b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0" + (69).to_bytes(3, "little") + (49).to_bytes(3, "little")
    )
    assert dimensions(webp) == (70, 50)
    assert dimensions(b"P6 # made by hand\n# twice\n70 #wide\n50\n255\n") == (70, 50)
    bmp = bytearray(encoded("bmp", 70, 50))
    bmp[22:26] = (-50).to_bytes(4, "little", signed=True)
    assert dimensions(bytes(bmp)) == (70, 50)
    assert dimensions(b"BM" + bytes(12) + b"\x0c\0\0\0" + b"\x46\0\x32\0" + bytes(8)) == (70, 50)


def test_fill_bytes_between_jpeg_segments_are_skipped() -> None:
    jpeg = encoded("jpg", 70, 50)
    assert dimensions(jpeg[:2] + b"\xff\xff\xff" + jpeg[2:]) == (70, 50)


@given(st.sampled_from(KINDS), st.data())
def test_a_header_that_is_cut_short_gives_none(kind: str, data: st.DataObject) -> None:
    whole = encoded(kind, 70, 50)
    cut = data.draw(st.integers(0, len(whole)))
    assert dimensions(whole[:cut]) in {None, (70, 50)}


@given(st.sampled_from((b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFFxxxxWEBP", b"P6 ")), st.binary())
def test_no_bytes_make_it_fail(start: bytes, rest: bytes) -> None:
    found = dimensions(start + rest)
    assert found is None or min(found) >= 0


@pytest.mark.parametrize("filler", [b" ", b"#\n", b" #\n"])
def test_a_pnm_header_without_an_end_takes_no_time(filler: bytes) -> None:
    assert dimensions(b"P6" + filler * 1000 + b"x") is None


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\x01", b"\xff\xe0\0\2"])
def test_a_jpeg_of_nothing_but_segments_is_given_up_early(filler: bytes) -> None:
    assert dimensions(b"\xff\xd8" + filler * (1 << 20) + encoded("jpg", 70, 50)[2:]) is None
