"""Embeddings: the vector, the gallery, what is nearest."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.decoders import embedding
from agent.errors import InputRejected, ModelInvalid
from agent.labels import Labels
from agent.types import FrameInfo, Signature, TensorSpec

FRAME = FrameInfo(seq=0, captured_ns=0, height=480, width=640)
VECTOR = TensorSpec("vector", "float32", (1, 1, 1, 2))
GALLERY = [[3.0, 0.0], [0.0, 0.5], [-1.0, 0.0], [1.0, 1.0]]
NAMES = Labels(("ann", "ben", "cem", "ann"))


def saved(array: Any, dtype: str = "float32") -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(array, dtype))
    return file.getvalue()


def decode(
    values: Any,
    gallery: bytes | None = None,
    labels: Labels | None = None,
    spec: TensorSpec = VECTOR,
    **options: Any,
) -> list[Any]:
    given = embedding.Options(gallery="gallery.npy" if gallery else "", **options)
    files = {"gallery": gallery} if gallery else {}
    decoder = embedding.build(given, Signature((), (spec,)), labels or Labels(), files)
    result = decoder.decode([np.array(values, spec.dtype).reshape(spec.shape)], FRAME)
    assert result.kind == "embedding"
    return list(result.items)


def test_without_a_gallery_the_vector_is_told_at_length_1() -> None:
    assert decode([3, 4]) == [{"vector": [0.6, 0.8]}]
    assert decode([1, -2], digits=2) == [{"vector": [0.45, -0.89]}]
    int8 = TensorSpec("vector", "int8", (1, 2), (0.1,), (-5,))
    assert decode([25, 35], spec=int8) == [{"vector": [0.6, 0.8]}]


def test_the_nearest_by_angle_comes_first_whatever_its_length() -> None:
    found = decode([5, 0.1], saved(GALLERY), top_k=3)
    assert [item["index"] for item in found] == [0, 3, 1]
    assert found[0] == {"label": "class 0", "index": 0, "score": 0.9999, "distance": 0.0002}


def test_opposite_is_0_and_a_right_angle_is_in_the_middle() -> None:
    found = decode([1, 0], saved(GALLERY), top_k=4)
    assert [(item["index"], item["score"], item["distance"]) for item in found] == [
        (0, 1.0, 0.0),
        (3, 0.853553, 0.292893),
        (1, 0.5, 1.0),
        (2, 0.0, 2.0),
    ]


def test_of_several_entries_with_one_name_the_nearest_counts() -> None:
    found = decode([1, 0], saved(GALLERY), NAMES, top_k=4)
    assert [(item["label"], item["index"]) for item in found] == [("ann", 0), ("ben", 1), ("cem", 2)]


def test_what_is_less_alike_than_min_score_is_nobody() -> None:
    assert [one["label"] for one in decode([1, 0], saved(GALLERY), NAMES, top_k=4, min_score=0.5)] == [
        "ann",
        "ben",
    ]
    assert decode([-1, -1], saved(GALLERY[:2]), min_score=0.5) == []


def test_the_vector_is_told_beside_the_gallery_where_it_is_asked_for() -> None:
    found = decode([3, 4], saved(GALLERY), vector=True)
    assert [list(item) for item in found] == [["label", "index", "score", "distance"], ["vector"]]


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", ">f4"])
def test_a_gallery_may_be_of_any_numbers(dtype: str) -> None:
    assert decode([0, 1], saved([[0, 100], [100, 0]], dtype))[0]["score"] == 1


def test_a_gallery_may_be_of_great_and_small_numbers() -> None:
    for size in (1e300, 1e-300):
        assert decode([3, 4], saved([[3 * size, 4 * size]], "float64"))[0]["score"] == 1


def test_a_large_gallery_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_AT_ONCE", 4)
    assert [item["index"] for item in decode([1, 1], saved([*GALLERY, [-1, -1]]), top_k=5)] == [3, 0, 1, 2, 4]


def test_a_vector_of_zeros_is_like_nothing() -> None:
    assert decode([0, 0]) == [{"vector": [0.0, 0.0]}]
    assert decode([0, 0], saved(GALLERY))[0]["score"] == 0.5


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=2))
def test_numbers_of_any_size_give_a_vector_of_length_1_or_0(values: list[float]) -> None:
    [item] = decode(values, digits=6)
    assert np.linalg.norm(item["vector"]) == pytest.approx(1 if any(values) else 0, abs=1e-5)
    [nearest] = decode(values, saved(GALLERY))
    assert 0.5 <= nearest["score"] <= 1


def test_a_vector_with_a_number_that_is_not_finite_is_rejected() -> None:
    with pytest.raises(InputRejected, match="numbers that are not finite"):
        decode([1, np.nan])


@pytest.mark.parametrize(
    ("gallery", "labels", "problem"),
    [
        (b"no array", Labels(), "it is no .npy file"),
        (saved([[1, 2, 3]]), Labels(), r"its shape is \[1, 3\], and the model gives 2 numbers"),
        (saved([1, 2]), Labels(), r"its shape is \[2\]"),
        (saved([[1, np.inf]]), Labels(), "not finite"),
        (saved(np.ones((100_001, 2)), "int8"), Labels(), "it has 100001 entries"),
        (saved(GALLERY), Labels(("ann", "ben")), "it has 4 entries, and there are 2 labels"),
    ],
)
def test_a_gallery_that_does_not_fit_is_refused(gallery: bytes, labels: Labels, problem: str) -> None:
    with pytest.raises(ModelInvalid, match=problem) as caught:
        decode([1, 0], gallery, labels)
    assert "gallery.npy" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("shape", [(1, 1), (1, 4097), (1, 2, 2), ()])
def test_what_is_no_vector_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelInvalid, match="the task wants"):
        embedding.build(embedding.Options(), Signature((), (TensorSpec("out", "float32", shape),)), Labels())
