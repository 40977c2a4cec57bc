"""What a model's maker has packed into the file: read where it is sound, and never a reason to fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.bundles.load import load
from agent.manifest import Pre
from agent.tflite import metadata
from agent.tflite.metadata import Metadata
from agent.types import TensorSpec
from tests.simulators import tiny_models
from tests.simulators.described_models import described, whole

if TYPE_CHECKING:
    from pathlib import Path


def test_what_a_maker_says_is_read() -> None:
    assert metadata.read(described(whole([127.5, 1.0]))) == Metadata(
        name="my-model-v2",
        version="2.1",
        license="Apache-2.0",
        mean=(127.5, 1.0),
        std=(2.0,),
        outputs=("boxes", "faces"),
        labels="names.txt",
        min_score=0.25,
    )


def test_a_model_without_metadata_says_nothing() -> None:
    assert metadata.read(tiny_models.absolute()) == Metadata()


@pytest.mark.parametrize(
    ("means", "stds"), [([np.nan], [1.0]), ([1.0], [np.inf]), ([1.0], [0.0]), ([1.0], [-1.0]), ([], [1.0])]
)
def test_a_normalisation_that_cannot_be_is_none(means: list[float], stds: list[float]) -> None:
    found = metadata.read(described(whole(means, stds)))
    assert (found.mean, found.std, found.version) == ((), (), "2.1")


@pytest.mark.parametrize("least", [0.0, -1.0, 1.5, np.nan])
def test_a_threshold_that_is_no_score_is_none(least: float) -> None:
    assert metadata.read(described(whole(least=least))).min_score is None


def test_a_long_name_is_cut_and_long_lists_are_read_in_part() -> None:
    found = metadata.read(described(whole(means=[1.0] * 100_000, name="x" * 1_000_000)))
    assert found.mean == ()
    assert len(found.name) == 64


PICTURE, SOUND = tiny_models.echo("int8", (1, 4, 4, 3)), tiny_models.echo("int8", (1, 16))
SAID = Metadata(mean=(127.5,), std=(127.5,))


def test_the_normalisation_fills_a_gap_and_takes_the_place_of_nothing() -> None:
    assert metadata.filled(Pre(resize="crop"), PICTURE, SAID) == Pre(
        resize="crop", mean=(127.5,), std=(127.5,)
    )
    for told in (
        {"mean": [0.0]},
        {"std": [2.0]},
        {"normalise": {"kind": "zscore"}},
        {"inputs": {"x": "frame"}},
    ):
        pre = Pre.model_validate(told)
        assert metadata.filled(pre, PICTURE, SAID) is pre


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (SOUND, SAID),
        (PICTURE, Metadata()),
        (PICTURE, Metadata(mean=(1.0, 2.0), std=(1.0,))),
        (tiny_models.add(), SAID),
    ],
)
def test_a_normalisation_of_something_else_than_the_one_picture_is_left_out(
    model: bytes, said: Metadata
) -> None:
    assert metadata.filled(Pre(), model, said) == Pre()


def test_outputs_are_called_as_the_metadata_says_where_no_signature_does() -> None:
    plain = [TensorSpec(name, "float32", (1,)) for name in "ab"]
    said = Metadata(outputs=("boxes", "scores"))
    assert [one.called for one in metadata.named(plain, said)] == ["boxes", "scores"]
    signed = [TensorSpec("a", "float32", (1,), called="x"), plain[1]]
    assert metadata.named(signed, said) == tuple(signed)
    assert metadata.named(plain[:1], said) == tuple(plain[:1])


@given(st.binary(max_size=200))
def test_metadata_that_is_junk_says_nothing_that_does_not_read(junk: bytes) -> None:
    assert isinstance(metadata.read(described(junk)), Metadata)


MODEL = described(whole())


@given(st.dictionaries(st.integers(0, len(MODEL) - 1), st.integers(0, 255), min_size=1, max_size=6))
def test_bytes_that_are_changed_anywhere_end_nobody_and_say_only_what_can_be(changes: dict[int, int]) -> None:
    content = bytearray(MODEL)
    for at, byte in changes.items():
        content[at] = byte
    found = metadata.read(bytes(content))
    assert all(np.isfinite(one) for one in (*found.mean, *found.std))
    assert all(one > 0 for one in found.std)
    assert found.min_score is None or 0 < found.min_score <= 1
    assert max(map(len, (found.name, found.version, found.license, found.labels, *found.outputs))) <= 800


@given(st.integers(0, len(MODEL)))
def test_a_model_that_is_cut_off_anywhere_ends_nobody(end: int) -> None:
    assert isinstance(metadata.read(MODEL[:end]), Metadata)


@pytest.mark.shared
def test_what_real_models_say_is_read(shared: Path) -> None:
    found = load(shared / "models" / "mobilenet_v1_0.25_224_quant.tflite")
    assert found.said == Metadata(
        name="mobilenetv1-image-classifier-quantized",
        version="v1",
        license="Apache-2.0",
        mean=(127.5,),
        std=(127.5,),
        outputs=("probability",),
        labels="labels.txt",
    )
    assert found.pre == Pre(mean=(127.5,), std=(127.5,))
    assert len(found.labels.names) == 1001
    ssd = load(shared / "models" / "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite")
    assert ssd.said.outputs == ("boxes", "classes", "scores", "count")
    assert ssd.said.labels == "labelmap.txt"
