"""Poses: three layouts, names, and who is nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.decoders import pose
from agent.errors import InputRejected, ModelInvalid
from agent.labels import Labels
from agent.types import FrameInfo, Signature, TensorSpec

if TYPE_CHECKING:
    from agent.types import Array

FRAME = FrameInfo(seq=0, captured_ns=0, height=480, width=640)
PICTURE = TensorSpec("picture", "uint8", (1, 33, 49, 3))
SINGLE = TensorSpec("out", "float32", (1, 1, 3, 3))
SEVERAL = TensorSpec("out", "float32", (1, 2, 14))
HEAT = TensorSpec("heat", "float32", (1, 3, 4, 2))
OFFSETS = TensorSpec("offsets", "float32", (1, 3, 4, 4))


def decode(
    outputs: list[TensorSpec], arrays: list[Any], names: tuple[str, ...] = (), **options: Any
) -> list[Any]:
    decoder = pose.build(pose.Options(**options), Signature((PICTURE,), tuple(outputs)), Labels(names))
    given = [np.array(one, spec.dtype).reshape(spec.shape) for one, spec in zip(arrays, outputs, strict=True)]
    result = decoder.decode(given, FRAME)
    assert result.kind == "pose"
    return list(result.items)


PERSON = [[0.2, 0.4, 0.9], [0.6, 0.3, 0.5], [0.9, 0.9, 0.1]]


def test_a_person_is_the_box_and_the_mean_score_of_what_is_seen_of_it() -> None:
    assert decode([SINGLE], [PERSON], ("head", "hand", "foot")) == [
        {
            "label": "person",
            "index": 0,
            "score": 0.5,
            "box": [0.2, 0.3, 0.6, 0.4],
            "keypoints": [
                {"label": "head", "index": 0, "point": [0.2, 0.4], "score": 0.9},
                {"label": "hand", "index": 1, "point": [0.6, 0.3], "score": 0.5},
                {"label": "foot", "index": 2, "point": [0.9, 0.9], "score": 0.1},
            ],
        }
    ]


@pytest.mark.parametrize(
    ("options", "count"), [({"min_score": 0.05}, 1), ({"min_score": 0.6}, 0), ({"min_person": 0.6}, 0)]
)
def test_who_is_not_seen_well_enough_is_nobody(options: dict[str, Any], count: int) -> None:
    found = decode([SINGLE], [PERSON], **options)
    assert len(found) == count
    assert [person["box"] for person in found] == [[0.2, 0.3, 0.9, 0.9]] * count


def test_of_several_the_best_comes_first_with_the_models_own_score() -> None:
    left = [0.1, 0.1, 0.9, 0.3, 0.2, 0.8, 0.2, 0.3, 0.7, 0, 0, 1, 1, 0.4]
    right = [0.1, 0.7, 0.9, 0.3, 0.8, 0.8, 0.2, 0.9, 0.7, 0, 0, 1, 1, 0.6]
    found = decode([SEVERAL], [[left, right]])
    assert [(person["score"], person["box"]) for person in found] == [
        (0.6, [0.1, 0.7, 0.3, 0.9]),
        (0.4, [0.1, 0.1, 0.3, 0.3]),
    ]
    assert [person["score"] for person in decode([SEVERAL], [[left, right]], max_items=1)] == [0.6]
    assert decode([SEVERAL], [[left, right]], min_person=0.7) == []


def heatmaps() -> tuple[Array, Array]:
    """Two keypoints: in cell (1, 2), moved by (3, -4) pixels, and in cell (2, 0), moved by (-2, 5)."""
    heat, offsets = np.full(HEAT.shape, -5.0), np.full(OFFSETS.shape, 99.0)
    heat[0, 1, 2, 0], heat[0, 2, 0, 1] = 2.0, 1.0
    offsets[0, 1, 2, (0, 2)] = 3, -4
    offsets[0, 2, 0, (1, 3)] = -2, 5
    return heat, offsets


def test_the_best_cell_of_a_heatmap_is_moved_by_its_offset() -> None:
    heat, offsets = heatmaps()
    for outputs, arrays in (([HEAT, OFFSETS], [heat, offsets]), ([OFFSETS, HEAT], [offsets, heat])):
        [person] = decode(outputs, arrays)
        places = [(one["point"], one["score"]) for one in person["keypoints"]]
        assert places == [
            ([pytest.approx((16 + 3) / 33, abs=1e-6), pytest.approx((32 - 4) / 49, abs=1e-6)], 0.880797),
            ([pytest.approx((32 - 2) / 33, abs=1e-6), pytest.approx(5 / 49, abs=1e-6)], 0.731059),
        ]


def test_displacements_beside_the_heatmaps_are_left_alone() -> None:
    shapes = {"heat": 17, "offsets": 34, "forward": 32, "backward": 32}
    specs = [TensorSpec(name, "float32", (1, 3, 4, size)) for name, size in shapes.items()]
    arrays = [np.zeros(spec.shape) for spec in specs]
    arrays[0][0, 0, 1, :9] = arrays[0][0, 2, 3, 9:] = 3
    [person] = decode(specs, arrays)
    assert person["score"] == 0.952574


def test_two_heatmaps_that_the_offsets_could_be_of_are_refused() -> None:
    with pytest.raises(ModelInvalid, match="the task wants"):
        decode([HEAT, OFFSETS, HEAT], [*heatmaps(), heatmaps()[0]])


def test_keypoints_are_named_by_the_option_or_the_labels_or_as_coco_does() -> None:
    def names(count: int, labels: tuple[str, ...] = (), **options: Any) -> list[str]:
        spec = TensorSpec("out", "float32", (1, 1, count, 3))
        points = np.linspace(0.3, 0.9, count * 3).reshape(spec.shape)
        return [one["label"] for one in decode([spec], [points], labels, **options)[0]["keypoints"]]

    assert names(17) == list(pose.COCO)
    assert names(17)[0] == "nose"
    assert names(2) == ["keypoint 0", "keypoint 1"]
    assert names(2, ("a", "b")) == ["a", "b"]
    assert names(2, ("a", "b"), keypoints=("c", "d")) == ["c", "d"]
    for labels, options in ((("a",), {}), ((), {"keypoints": ("a", "b", "c")})):
        with pytest.raises(ModelInvalid, match="names for 2 keypoints"):
            names(2, labels, **options)


def test_a_keypoint_that_is_not_finite_is_left_out_and_one_beyond_the_picture_is_at_its_edge() -> None:
    points = [[0.2, 0.4, 0.9], [np.nan, 0.3, 0.5], [1.5, -0.5, 0.9]]
    [person] = decode([SINGLE], [points])
    assert [one["index"] for one in person["keypoints"]] == [0, 2]
    assert person["box"] == [0.2, 0.0, 1.0, 0.4]
    assert person["score"] == 0.9


def test_a_person_whose_own_score_is_not_finite_is_nobody() -> None:
    row = [0.1, 0.1, 0.9, 0.3, 0.2, 0.8, 0.2, 0.3, 0.7, 0, 0, 1, 1, np.nan]
    assert decode([SEVERAL], [[row, row]], min_person=0.0) == []


def test_a_frame_without_a_finite_keypoint_is_rejected() -> None:
    with pytest.raises(InputRejected, match="none of its 3 keypoints has finite numbers"):
        decode([SINGLE], [np.full((3, 3), np.inf)])
    with pytest.raises(InputRejected, match="none of its 2 keypoints"):
        decode([HEAT, OFFSETS], [np.full(HEAT.shape, np.nan), np.zeros(OFFSETS.shape)])


@pytest.mark.parametrize(
    "shape", [(1, 17, 3), (1, 1, 17, 4), (2, 1, 17, 3), (1, 6, 55), (1, 6, 5), (1, 1, 257, 3), (1, 0, 56)]
)
def test_outputs_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    spec = TensorSpec("out", "float32", shape)
    with pytest.raises(ModelInvalid, match="the task wants"):
        pose.build(pose.Options(), Signature((PICTURE,), (spec,)), Labels())
