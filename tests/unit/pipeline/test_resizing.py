"""From a frame, or a region of it, to a model's input, for each way to resize."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import InputRejected
from agent.imaging.placing import Resize, place
from agent.manifest import Pre
from agent.pipeline.preprocess import Preprocessor
from agent.types import Frame, TensorSpec
from tests.unit.pipeline.test_preprocess import UINT8, fill, like, picture


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("interpolation", ["linear", "area", "nearest", "cubic"])
def test_a_region_is_prepared_as_a_frame_of_those_pixels_would_be(channels: int, interpolation: str) -> None:
    pre = Pre.model_validate({"interpolation": interpolation})
    data, into = picture(channels=channels), np.empty(UINT8.shape, np.uint8)
    Preprocessor(UINT8, pre)(Frame(0, 0, data), into, (0.25, 0.2, 0.75, 0.6))
    assert np.array_equal(into, fill(UINT8, data[10:30, 10:30].copy(), pre))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(40, 40), (100, 20), (6, 8), (12, 16), (9, 16)])
def test_a_letterbox_keeps_the_proportions_and_fills_the_rest(
    dtype: str, channels: int, size: tuple[int, int]
) -> None:
    spec = like(dtype, channels)
    data = np.full((*size, 3), 200, np.uint8)
    found = fill(spec, data, Pre(resize="letterbox", pad=114))[0]
    inner, bar = (fill(spec, np.full((3, 3), value, np.uint8))[0, 0, 0, 0] for value in (200, 114))
    scale = min(12 / size[0], 16 / size[1])
    height, width = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    wanted = np.full(spec.shape[1:], bar, spec.dtype)
    top, left = (12 - height) // 2, (16 - width) // 2
    wanted[top : top + height, left : left + width] = inner
    assert np.array_equal(found, wanted)


def test_a_letterbox_after_a_larger_one_leaves_nothing_of_it() -> None:
    processor, into = Preprocessor(UINT8, Pre(resize="letterbox")), np.empty(UINT8.shape, np.uint8)
    for size in ((12, 16), (12, 4), (3, 16)):
        data = np.full((*size, 3), 255, np.uint8)
        processor(Frame(0, 0, data), into)
        assert np.count_nonzero(into) == size[0] * size[1] * 3


def test_a_crop_takes_the_middle() -> None:
    data = picture(40, 100)
    found = fill(UINT8, data, Pre(resize="crop", interpolation="area"))
    assert np.array_equal(found, fill(UINT8, data[:, 23:76].copy(), Pre(interpolation="area")))


def test_only_pictures_have_regions() -> None:
    spec = TensorSpec("x", "float32", (4,))
    with pytest.raises(InputRejected, match="no region"):
        Preprocessor(spec, Pre())(Frame(0, 0, np.zeros(4)), np.empty(4, np.float32), (0, 0, 1, 0.5))


def test_a_pad_without_a_letterbox_is_refused() -> None:
    with pytest.raises(ValueError, match="pad: of letterbox"):
        Pre(pad=3)


@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.sampled_from([1, 3, 4]),
    st.sampled_from([1, 3]),
    st.sampled_from(["stretch", "letterbox", "crop"]),
)
def test_a_plain_picture_of_any_size_fills_its_place_and_nothing_else(
    size: tuple[int, int], channels: int, taken: int, resize: Resize
) -> None:
    data = np.full((*size, channels), 200, np.uint8)
    into = np.full((1, 12, 16, taken), 7, np.uint8)
    spec = TensorSpec("x", "uint8", (1, 12, 16, taken))
    Preprocessor(spec, Pre(resize=resize, pad=9 if resize == "letterbox" else None))(Frame(0, 0, data), into)
    top, left, bottom, right = place(size, (12, 16), resize).into
    wanted = np.full_like(into, 9)
    wanted[:, top:bottom, left:right] = 200
    assert np.array_equal(into, wanted)
