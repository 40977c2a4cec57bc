"""Anchors: as many as the models of each family have, each where its family puts it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from agent.decoders.heads.anchors import Anchors, count_efficientdet, count_ssd, efficientdet, ssd

BLAZEFACE = Anchors(
    strides=(8, 16, 16, 16),
    min_scale=0.1484375,
    max_scale=0.75,
    aspect_ratios=(1.0,),
    fixed_size=True,
    reduce_lowest=False,
)


def test_ssd_mobilenet_has_1917_anchors_of_which_the_first_grid_has_three_a_cell() -> None:
    anchors = ssd(Anchors(), (300, 300))
    assert (anchors.shape, str(anchors.dtype), count_ssd(Anchors(), (300, 300))) == (
        (1917, 4),
        "float32",
        1917,
    )
    middle = 0.5 / 19
    assert anchors[:3] == pytest.approx(
        np.array(
            [
                [middle, middle, 0.1, 0.1],
                [middle, middle, 0.2 / math.sqrt(2), 0.2 * math.sqrt(2)],
                [middle, middle, 0.2 * math.sqrt(2), 0.2 / math.sqrt(2)],
            ]
        )
    )
    assert anchors[3, :2] == pytest.approx([middle, 1.5 / 19])


def test_the_last_grid_of_ssd_mobilenet_is_one_cell_of_six_anchors() -> None:
    root = math.sqrt(0.95)
    sizes = [(0.95 / math.sqrt(one), 0.95 * math.sqrt(one)) for one in (1, 2, 0.5, 3, 0.3333)]
    wanted = [[0.5, 0.5, *size] for size in [*sizes, (root, root)]]
    assert ssd(Anchors(), (300, 300))[-6:] == pytest.approx(np.array(wanted))


def test_blazeface_has_896_anchors_as_large_as_the_picture() -> None:
    anchors = ssd(BLAZEFACE, (128, 128))
    assert (len(anchors), count_ssd(BLAZEFACE, (128, 128))) == (896, 896)
    assert (anchors[:, 2:] == 1).all()
    assert anchors[[0, 1, 2], :2] == pytest.approx(np.array([[1, 1], [1, 1], [1, 3]]) / 32)
    # The three equal strides are one grid of six anchors a cell.
    assert anchors[512:519, :2] == pytest.approx(np.array([[1, 1]] * 6 + [[1, 3]]) / 16)


def test_maps_of_their_own_size_replace_those_of_the_strides() -> None:
    anchors = Anchors(strides=(8, 16), feature_maps=((3, 2), (1, 1)))
    made = ssd(anchors, (64, 64))
    assert len(made) == count_ssd(anchors, (64, 64)) == 3 * 2 * 3 + 6
    assert made[0, :2] == pytest.approx([1 / 6, 1 / 4])
    with pytest.raises(ValidationError, match="1 feature_maps for 2 strides"):
        Anchors(strides=(8, 16), feature_maps=((3, 2),))


def test_a_single_stride_has_the_middle_scale_and_no_more_anchors_than_it_is_told() -> None:
    anchors = Anchors(strides=(32,), aspect_ratios=(1.0,), interpolated_ratio=0, reduce_lowest=False)
    assert ssd(anchors, (32, 32)) == pytest.approx(np.array([[0.5, 0.5, 0.575, 0.575]]))


@pytest.mark.parametrize(("side", "count"), [(320, 19206), (384, 27621), (512, 49104), (640, 76725)])
def test_efficientdet_has_nine_anchors_in_each_cell_of_five_levels(side: int, count: int) -> None:
    assert (len(efficientdet(4.0, (side, side))), count_efficientdet((side, side))) == (count, count)


def test_efficientdets_anchors_go_by_octave_and_then_by_ratio() -> None:
    anchors = efficientdet(4.0, (512, 512)) * 512
    root = math.sqrt(2)
    wanted = [
        [4, 4, side / ratio, side * ratio]
        for side in (32, 32 * 2 ** (1 / 3), 32 * 2 ** (2 / 3))
        for ratio in (1, root, 1 / root)
    ]
    assert anchors[:9] == pytest.approx(np.array(wanted), rel=1e-5)
    assert anchors[9, :2] == pytest.approx([4, 12])
    assert anchors[-9, :] == pytest.approx([448, 448, 512, 512])
