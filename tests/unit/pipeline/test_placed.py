"""Results of a part of the frame, or of a frame between bars, lie in the frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.imaging.placing import place
from agent.pipeline.placed import PlacedDecoder, placed
from agent.types import WHOLE, Box, FrameInfo, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.imaging.placing import Resize
    from agent.types import Array


class Says:
    """A decoder."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self.result = Result("detection", items)

    def decode(self, outputs: Sequence[Array], frame: FrameInfo, inputs: Sequence[Array] = ()) -> Result:
        return self.result


def decoded(*items: dict[str, Any], resize: Resize = "stretch", region: Box = WHOLE) -> Result:
    decoder = PlacedDecoder(Says(*items), (320, 320), resize)
    return decoder.decode((), FrameInfo(0, 0, 480, 640, region=region))


def counts(cells: Array) -> list[int]:
    """Uncompressed COCO RLE, written plainly."""
    found, last = [0], 0
    for cell in cells.T.reshape(-1).tolist():
        if cell != last:
            found.append(0)
            last = cell
        found[-1] += 1
    return found


def test_a_whole_frame_that_is_stretched_is_decoded_as_it_is() -> None:
    says = Says({"box": [0.1, 0.2, 0.3, 0.4]})
    assert PlacedDecoder(says, (8, 8), "stretch").decode((), FrameInfo(0, 0, 4, 4)) is says.result


def test_boxes_and_keypoints_of_a_region_lie_in_the_frame() -> None:
    item = {"score": 0.5, "box": [0, 0, 0.5, 1], "keypoints": [{"index": 3, "point": [0.5, 0.25]}]}
    (found,) = decoded(item, region=(0.5, 0.5, 1, 1)).items
    assert found == {
        "score": 0.5,
        "box": [0.5, 0.5, 0.75, 1],
        "keypoints": [{"index": 3, "point": [0.75, 0.625]}],
    }


def test_what_lies_in_a_letterboxs_bars_is_left_out_and_the_rest_stays() -> None:
    items = decoded(
        {"box": [0, 0, 0.1, 1]}, {"box": [0.5, 0, 1, 1]}, {"label": "cat"}, resize="letterbox"
    ).items
    assert items == ({"box": [0.5, 0, 1, 1]}, {"label": "cat"})


def test_a_pose_of_one_keypoint_is_kept_though_its_box_has_no_area() -> None:
    item = {"box": [0.5, 0.5, 0.5, 0.5], "keypoints": [{"point": [0.5, 0.5]}]}
    assert decoded(item, region=(0, 0, 0.5, 0.5)).items == (
        {"box": [0.25, 0.25, 0.25, 0.25], "keypoints": [{"point": [0.25, 0.25]}]},
    )


def test_a_mask_of_a_region_lies_there_and_its_share_is_of_the_frame() -> None:
    mask = {"size": [2, 2], "counts": [1, 3], "within": [0, 0, 1, 1]}
    (found,) = decoded({"share": 0.75, "mask": mask}, region=(0.5, 0, 1, 0.5)).items
    assert found == {"share": 0.1875, "mask": {**mask, "within": [0.5, 0, 1, 0.5]}}


def test_a_masks_cells_in_the_bars_are_cut_off() -> None:
    cells = np.zeros((8, 8), int)
    cells[0:5, 2:4] = 1
    mask = {"size": [8, 8], "counts": counts(cells), "within": [0, 0, 1, 1]}
    (found,) = decoded({"mask": mask}, resize="letterbox").items
    assert found["mask"] == {"size": [6, 8], "counts": counts(cells[1:7]), "within": [0, 0, 1, 1]}


@given(
    hnp.arrays(int, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 1)),
    st.tuples(st.integers(1, 99), st.integers(1, 99)),
)
def test_the_counts_of_a_cut_mask_are_those_of_its_cells(cells: Array, frame: tuple[int, int]) -> None:
    mask = {"size": list(cells.shape), "counts": counts(cells), "within": [0.0, 0.0, 1.0, 1.0]}
    items = placed(Result("segmentation", ({"mask": mask},)), place(frame, (50, 50), "letterbox")).items
    for item in items:
        height, width = item["mask"]["size"]
        assert sum(item["mask"]["counts"]) == height * width
        top, left = (cells.shape[0] - height) // 2, (cells.shape[1] - width) // 2
        assert item["mask"]["counts"] == counts(cells[top : top + height, left : left + width])
        assert all(0 <= one <= 1 for one in item["mask"]["within"])


SHARES = st.floats(0, 1)


@given(
    st.lists(st.tuples(SHARES, SHARES, SHARES, SHARES), max_size=5), st.sampled_from(["letterbox", "crop"])
)
def test_boxes_that_are_left_have_area_and_lie_in_the_frame(boxes: list[Box], resize: Resize) -> None:
    region = (0.1, 0.2, 0.9, 0.7)
    items = decoded(*({"box": list(box)} for box in boxes), resize=resize, region=region).items
    for top, left, bottom, right in (item["box"] for item in items):
        assert 0 <= top < bottom <= 1
        assert 0 <= left < right <= 1


@given(st.tuples(SHARES, SHARES, SHARES, SHARES), st.sampled_from(["letterbox", "crop", "stretch"]))
def test_a_boxs_corners_lie_where_keypoints_there_would(box: Box, resize: Resize) -> None:
    points = [{"point": list(box[:2])}, {"point": list(box[2:])}]
    (found,) = decoded({"box": list(box), "keypoints": points}, resize=resize, region=(0, 0.5, 1, 1)).items
    corners = [*found["keypoints"][0]["point"], *found["keypoints"][1]["point"]]
    assert found["box"] == pytest.approx(corners, abs=2e-6)
