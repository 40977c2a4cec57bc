"""Compressed frames of a camera before a simulated driver: whole, damaged, and of another size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from agent.errors import InputRejected
from agent.sources.camera import CameraSource, Options, build
from tests.simulators.cameras import Cameras

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.cameras


def opened(**options: Any) -> CameraSource:
    return build(Options(**options), start=0)


def jpeg(value: int = 200, width: int = 320, height: int = 240) -> Path:
    picture = np.random.default_rng(1).integers(0, 60, (height, width, 3), np.uint8) + np.uint8(value - 60)
    path = Cameras.here().root / "frame.jpg"
    aside = path.with_name("next.jpg")
    cv2.imwrite(str(aside), picture)
    return aside.rename(path)  # the driver may read it at any time


def flat(width: int, height: int) -> None:
    """Show a picture of one grey: valid, and small enough for the driver's buffer at any size."""
    aside = Cameras.here().root / "next.jpg"
    cv2.imwrite(str(aside), np.full((height, width, 3), 128, np.uint8))
    aside.rename(aside.with_name("frame.jpg"))


def read_some(source: CameraSource) -> None:
    for _ in range(5):
        source.read(1)


@pytest.mark.parametrize("cut", [0, 1])
def test_a_damaged_frame_fails_alone_and_is_never_an_old_one(cut: int) -> None:
    Cameras.here().plug(modes=("MJPG 320x240@100",), jpeg=jpeg(), bad_every=3, cut=cut)
    source = opened(format="MJPG")
    seen: list[int] = []
    failed: list[int] = []
    told = ""
    while len(seen) < 8 or len(failed) < 4:
        try:
            frame = source.read(1)
        except InputRejected as error:
            told = str(error)
            failed.append(len(seen) + len(failed))
        else:
            assert frame is not None
            seen.append(frame.seq)
            assert 140 < frame.data.mean() < 200
    source.close()
    assert sorted(seen + failed) == list(range(len(seen) + len(failed)))
    assert len(failed) < len(seen)  # a third of them; where others compute, some are passed over
    assert "it is damaged. If it repeats, try another cable" in told


def test_a_frame_of_another_size_in_mid_stream_is_fine_and_a_huge_one_is_damage() -> None:
    here = Cameras.here()
    here.plug(modes=("MJPG 320x240@100",), jpeg=jpeg())
    source = opened()
    shapes = set()
    for width, height in ((320, 240), (160, 120), (400, 300)):
        jpeg(width=width, height=height)
        for _ in range(3):
            frame = source.read(1)
            assert frame is not None
            shapes.add(frame.data.shape)
    flat(800, 600)
    with pytest.raises(InputRejected, match="damaged"):
        read_some(source)
    source.close()
    assert {(240, 320, 3), (120, 160, 3), (300, 400, 3)} <= shapes


def test_a_frame_without_any_data_is_damage_and_the_next_is_fine() -> None:
    path = jpeg()
    whole = path.read_bytes()
    path.write_bytes(b"")
    Cameras.here().plug(modes=("MJPG 320x240@100",), jpeg=path)
    source = opened(format="MJPG")
    with pytest.raises(InputRejected, match="damaged"):
        read_some(source)
    aside = path.with_name("next.jpg")
    aside.write_bytes(whole)
    aside.rename(path)
    seen = 0
    for _ in range(8):
        try:
            seen += source.read(1) is not None
        except InputRejected:  # one that was taken before
            continue
    source.close()
    assert seen >= 4
