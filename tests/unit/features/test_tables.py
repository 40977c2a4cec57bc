"""What a manifest may say of windows, and how the rest is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.config.preparing import pre_of
from agent.features.statistics import NAMES
from agent.features.tables import STATISTICS, LogMel, MeanStd, Statistics
from agent.manifest import Pre

MEL = {"kind": "log_mel", "rate": 16000, "frame": 480, "hop": 160}


def test_what_is_left_out_has_its_defaults() -> None:
    found = pre_of({"features": MEL}).features
    assert isinstance(found, LogMel)
    assert (found.transform, found.bands, found.low_hz, found.highest_hz) == (512, 40, 20, 8000)
    assert (found.mel, found.norm, found.power, found.log) == ("htk", "peak", 2, "natural")


def test_a_frame_of_a_power_of_two_is_transformed_as_it_is() -> None:
    found = pre_of({"features": {**MEL, "frame": 512}}).features
    assert isinstance(found, LogMel)
    assert found.transform == 512


def test_the_statistics_are_those_that_are_computed() -> None:
    assert STATISTICS == NAMES
    assert Statistics(kind="statistics").of == NAMES


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"features": {"kind": "wavelet"}}, "features: .*'wavelet'"),
        ({"features": {"rate": 16000}}, "features: .*kind"),
        ({"features": {**MEL, "bins": 4}}, "features.log_mel.bins: Extra inputs"),
        ({"features": {"kind": "log_mel", "rate": 16000}}, "features.log_mel.frame: Field required"),
        ({"features": {**MEL, "hop": 0}}, "features.log_mel.hop"),
        ({"features": {**MEL, "frame": 1 << 20}}, "features.log_mel.frame"),
        ({"features": {**MEL, "rate": float("nan")}}, "features.log_mel.rate"),
        ({"features": {**MEL, "bands": 257}}, "features.log_mel.bands"),
        ({"features": {**MEL, "points": 256}}, "points: 256 are not even, or fewer than the 480 of a frame"),
        ({"features": {**MEL, "points": 513}}, "points: 513 are not even"),
        ({"features": {**MEL, "low_hz": 8000}}, "low_hz 8000 is not below high_hz 8000"),
        ({"features": {**MEL, "high_hz": 9000}}, "above half the rate, 8000"),
        ({"features": {**MEL, "floor": 0}}, "features.log_mel.floor"),
        ({"features": {**MEL, "kind": "mfcc", "bands": 10}}, "count: 10 bands have no 13 coefficients"),
        ({"features": {"kind": "statistics", "of": ["median"]}}, "features.statistics.of.0"),
        ({"features": {"kind": "statistics", "of": []}}, "features.statistics.of"),
        ({"features": {"kind": "micro_speech", "rate": 16000}}, "features.micro_speech.rate: Extra"),
        ({"normalise": {"kind": "mean_std", "std": [0]}}, "normalise.mean_std.std.0"),
        ({"normalise": {"kind": "mean_std", "mean": [float("inf")]}}, "normalise.mean_std.mean.0"),
        ({"normalise": {"kind": "mean_std", "mean": [0] * 16385}}, "normalise.mean_std.mean"),
        ({"normalise": {"kind": "zscore", "over": "batch"}}, "normalise.zscore.over"),
        ({"normalise": "zscore"}, "normalise"),
        ({"features": MEL, "color": "bgr"}, "color: of pictures, and features and normalise are of windows"),
        ({"normalise": {"kind": "zscore"}, "mean": [1.0]}, "mean: of pictures"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(told: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        pre_of(told)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "told",
    [
        {"features": {"kind": "micro_speech"}},
        {"features": {**MEL, "kind": "mfcc", "count": 10}, "normalise": {"kind": "min_max", "low": -1}},
        {"normalise": {"kind": "mean_std", "mean": [0.1, 0.2], "std": [3]}},
    ],
)
def test_what_is_said_is_the_same_after_it_was_packed(told: dict[str, Any]) -> None:
    pre = pre_of(told)
    packed = json.dumps(pre.model_dump(mode="json", exclude_defaults=True))
    assert Pre.model_validate_json(packed, strict=True) == pre
    assert Pre.model_validate(pre.model_dump(exclude_none=True)) == pre


def test_windows_are_meant_where_one_of_the_two_is_said() -> None:
    assert pre_of({"features": {"kind": "micro_speech"}}).of_windows
    assert Pre(normalise=MeanStd(kind="mean_std")).of_windows
    assert not Pre(color="bgr").of_windows
