"""From a window of samples to the input tensor: features, normalisation, and what does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from agent.config.preparing import pre_of
from agent.errors import InputRejected, ManifestInvalid
from agent.features import spectrum
from agent.features.mel import mel_bands
from agent.features.speech import SpeechFeatures
from agent.features.statistics import statistics
from agent.pipeline.preprocess import Preprocessor
from agent.tensors import dequantize, quantize
from agent.types import Frame, TensorSpec

if TYPE_CHECKING:
    from agent.types import Array

MEL = {"kind": "log_mel", "rate": 16000, "frame": 480, "hop": 320, "low_hz": 100}
SPEECH = {"kind": "micro_speech"}


def window(samples: int, channels: int = 1, seed: int = 5) -> Array:
    return np.random.default_rng(seed).normal(0, 0.2, (samples, channels)).astype(np.float32)


def floats(*shape: int) -> TensorSpec:
    return TensorSpec("x", "float32", shape)


def fill(spec: TensorSpec, data: Array, **pre: Any) -> Array:
    into = np.full(spec.shape, 77, spec.dtype)
    Preprocessor(spec, pre_of(pre))(Frame(0, 0, data), into)
    return into


def bands(samples: Array, **options: Any) -> Array:
    return spectrum.log_mel(samples, 480, 320, mel_bands(40, 512, 16000, 100, 8000), **options)


def test_log_mel_fills_the_input_frame_by_frame() -> None:
    data = window(16000)
    np.testing.assert_array_equal(
        fill(floats(1, 49, 40, 1), data, features=MEL)[0, :, :, 0], bands(data[:, 0])
    )


def test_an_input_that_is_flat_takes_them_row_by_row() -> None:
    data = window(16000)
    np.testing.assert_array_equal(fill(floats(1, 1960), data, features=MEL)[0], bands(data[:, 0]).ravel())


def test_the_channel_is_the_last_dimension_of_frames() -> None:
    data = window(1600, 3)
    made = fill(floats(1, 4, 40, 3), data, features=MEL)
    for one in range(3):
        np.testing.assert_array_equal(made[0, :, :, one], bands(data[:, one]))


def test_every_key_of_log_mel_has_its_effect() -> None:
    data = window(16000)
    told = {
        **MEL, "points": 1024, "bands": 20, "high_hz": 7000, "mel": "slaney", "norm": "area", "power": 1,
        "log": "decibel", "offset": 1e-6, "floor": 0.15,
    }  # fmt: skip
    weights = mel_bands(20, 1024, 16000, 100, 7000, scale="slaney", straight="hertz", area=True)
    wanted = spectrum.log_mel(data[:, 0], 480, 320, weights, power=1, decibel=True, offset=1e-6, floor=0.15)
    np.testing.assert_array_equal(fill(floats(1, 49, 20), data, features=told)[0], wanted)
    curved = fill(floats(1, 49, 20), data, features={**told, "slopes": "mel"})[0]
    assert not np.allclose(curved, wanted)


def test_with_peak_loudness_does_not_matter() -> None:
    data, told = window(16000), {**MEL, "peak": True}
    made = fill(floats(1, 49, 40), data, features=told)
    np.testing.assert_allclose(made[0], bands(data[:, 0] / np.abs(data).max()), atol=1e-5)
    np.testing.assert_allclose(fill(floats(1, 49, 40), data / 64, features=told), made, atol=1e-5)
    assert np.isfinite(fill(floats(1, 49, 40), np.zeros((16000, 1)), features=told)).all()


@pytest.mark.parametrize("dct", ["orthonormal", "htk"])
def test_mfcc_are_the_coefficients_of_log_mel(dct: str) -> None:
    data = window(16000)
    told = {**MEL, "kind": "mfcc", "count": 10, "dct": dct}
    wanted = spectrum.mfcc(bands(data[:, 0]), 10, htk=dct == "htk")
    np.testing.assert_array_equal(fill(floats(1, 49, 10), data, features=told)[0], wanted)


def test_a_spectrum_has_the_amplitudes_of_each_channel() -> None:
    data = window(64, 3)
    wanted = spectrum.amplitudes(data).astype(np.float32)
    np.testing.assert_array_equal(fill(floats(1, 33, 3), data, features={"kind": "spectrum"})[0], wanted)
    loud = fill(floats(1, 33, 3), data, features={"kind": "spectrum", "scale": "decibel", "floor": 0.01})
    np.testing.assert_allclose(loud[0], 20 * np.log10(np.maximum(wanted, 0.01)), rtol=1e-5)


def test_statistics_are_those_that_are_named_in_their_order() -> None:
    data = window(100, 2)
    told = {"kind": "statistics", "of": ["crest", "mean"]}
    np.testing.assert_array_equal(fill(floats(1, 2, 2), data, features=told)[0], statistics(data)[[8, 0]])
    np.testing.assert_array_equal(
        fill(floats(1, 18), data, features={"kind": "statistics"})[0], statistics(data).ravel()
    )


def test_micro_speech_is_stored_as_it_is_in_bytes_and_scaled_for_real_numbers() -> None:
    data = window(16000)
    stored = SpeechFeatures()(np.rint(data[:, 0] * 32768).astype(np.int16))
    bytes_ = TensorSpec("x", "int8", (1, 1960), (1.0,), (-128,))
    assert np.array_equal(fill(bytes_, data, features=SPEECH)[0], stored.ravel())
    real = fill(floats(1, 1960), data, features=SPEECH)[0]
    np.testing.assert_allclose(real, (stored.ravel() + 128.0) * 26 / 256, rtol=1e-6)


def test_each_window_of_micro_speech_begins_without_knowing_the_noise() -> None:
    spec = floats(1, 49, 40)
    prepare, data = Preprocessor(spec, pre_of({"features": SPEECH})), window(16000)
    first, second = np.empty(spec.shape, np.float32), np.empty(spec.shape, np.float32)
    prepare(Frame(0, 0, data), first)
    prepare(Frame(1, 0, data), second)
    np.testing.assert_array_equal(first, second)


def test_samples_beyond_full_scale_are_clipped() -> None:
    loud = np.where(np.arange(16000) % 40 < 20, 1.5, -1.5).astype(np.float32)[:, None]
    np.testing.assert_array_equal(
        fill(floats(1, 49, 40), loud, features=SPEECH), fill(floats(1, 49, 40), loud / 1.5, features=SPEECH)
    )


def test_features_of_a_quantized_input_are_quantized() -> None:
    spec = TensorSpec("x", "int8", (1, 49, 40, 1), (0.2,), (10,))
    data = window(16000)
    made = fill(spec, data, features=MEL)
    np.testing.assert_array_equal(made, quantize(bands(data[:, 0]).reshape(spec.shape), spec))
    assert len(np.unique(dequantize(made, spec))) > 20


@given(st.integers(0, 1000), st.sampled_from(["window", "channel"]), st.integers(1, 4))
def test_zscore_is_scipys(seed: int, over: str, channels: int) -> None:
    data = window(50, channels, seed) + 3
    axis = None if over == "window" else 0
    made = fill(floats(1, 50, channels), data, normalise={"kind": "zscore", "over": over})[0]
    np.testing.assert_allclose(made, stats.zscore(data.astype(np.float64), axis=axis), atol=1e-4)


@given(st.integers(0, 1000), st.sampled_from(["window", "channel"]))
def test_min_max_reaches_from_low_to_high(seed: int, over: str) -> None:
    data = window(50, 3, seed) * np.array([1, 10, 100], np.float32)
    told = {"kind": "min_max", "over": over, "low": -1, "high": 2}
    made = fill(floats(1, 50, 3), data, normalise=told)[0]
    ends = (
        [(made.min(), made.max())] if over == "window" else list(zip(made.min(0), made.max(0), strict=True))
    )
    for low, high in ends:
        assert (low, high) == pytest.approx((-1, 2), abs=1e-5)
    order = data.ravel() if over == "window" else data[:, 1]
    moved = made.ravel() if over == "window" else made[:, 1]
    assert (np.diff(moved[np.argsort(order)]) >= 0).all()


@pytest.mark.parametrize(("kind", "low"), [("zscore", 0.0), ("min_max", 0.25)])
@pytest.mark.parametrize("level", [0.0, 0.1, -7e12])
def test_what_does_not_vary_is_not_blown_up(kind: str, low: float, level: float) -> None:
    told = {"kind": kind} if kind == "zscore" else {"kind": kind, "low": low}
    made = fill(floats(1, 37, 2), np.full((37, 2), level), normalise=told)
    assert (made == low).all()


def test_mean_and_std_are_one_number_or_one_a_column_or_one_a_value() -> None:
    data = window(4, 3)
    spec = floats(1, 4, 3)
    each = list(range(12))
    for mean, std in (([2.0], [4.0]), ([1, 2, 3], [0.5]), (each, [1, 2, 4])):
        made = fill(spec, data, normalise={"kind": "mean_std", "mean": mean, "std": std})[0]
        shift = np.array(mean).reshape(4, 3) if len(mean) == 12 else np.array(mean)
        np.testing.assert_allclose(made, (data - shift) / np.array(std), rtol=1e-5, atol=1e-6)


def test_features_are_normalised_after_they_were_computed() -> None:
    data = window(16000)
    told = {"kind": "mean_std", "mean": list(range(40)), "std": [2]}
    made = fill(floats(1, 49, 40), data, features=MEL, normalise=told)[0]
    np.testing.assert_allclose(made, (bands(data[:, 0]) - np.arange(40)) / 2, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("data", "pre", "words", "hint"),
    [
        (
            window(15000),
            {"features": SPEECH},
            r"micro_speech of a window \[15000, 1\] gives \[46, 40\], and .* wants float32 \[1, 1960\]",
            "Set the source's window to 15840",
        ),
        (window(479), {"features": SPEECH}, "479 samples hold no frame of 480", "window to 15840"),
        (window(16000, 2), {"features": SPEECH}, "it takes one channel, and the window has 2", "channels"),
        (
            window(16000, 2),
            {"features": MEL},
            r"gives \[49, 40, 2\]",
            "Change the source's window or channels",
        ),
        (window(100), {"features": {"kind": "spectrum"}}, r"gives \[51, 1\]", "window to 3918"),
        (window(90), {"normalise": {"kind": "zscore"}}, r"a window is \[90, 1\]", "Change the source's"),
        (
            window(16000),
            {"features": MEL, "normalise": {"kind": "mean_std", "mean": [1, 2]}},
            r"mean has 2 numbers for values of shape \[49, 40\]",
            "Give one, 40, or 1960",
        ),
        (np.zeros((4, 4, 3), np.uint8), {"features": SPEECH}, "it takes windows, float", "source of windows"),
        (np.zeros((16000, 1), np.int16), {"features": SPEECH}, "got int16", "source of windows"),
        (np.zeros((0, 1), np.float32), {"features": SPEECH}, "it takes windows", "source of windows"),
        (np.full((16000, 1), np.nan), {"features": SPEECH}, "16000 of 16000 numbers are NaN", "sensor"),
        (np.full((16000, 1), np.inf), {"features": MEL}, "16000 of 16000 numbers are NaN", "sensor"),
        (np.full((16000, 1), 1e300), {"features": MEL}, "16000 of 16000 numbers are NaN", "sensor"),
        (np.full((1960, 1), np.nan), {"normalise": {"kind": "zscore"}}, "are NaN", "sensor"),
    ],
)
def test_a_window_that_does_not_fit_is_refused_with_both_shapes(
    data: Array, pre: dict[str, Any], words: str, hint: str
) -> None:
    with pytest.raises(InputRejected, match=words) as caught:
        fill(floats(1, 1960), data, **pre)
    assert hint in caught.value.hint


def test_a_window_of_another_shape_does_not_spoil_the_next() -> None:
    spec = floats(1, 1960)
    prepare, into = Preprocessor(spec, pre_of({"features": SPEECH})), np.empty(spec.shape, np.float32)
    prepare(Frame(0, 0, window(16000)), into)
    with pytest.raises(InputRejected):
        prepare(Frame(1, 0, window(15000)), into)
    prepare(Frame(2, 0, window(15840)), into)


def test_a_window_that_would_take_too_much_memory_is_refused_before_it_is_computed() -> None:
    told = {**MEL, "frame": 16384, "hop": 1, "bands": 1}
    with pytest.raises(InputRejected, match="are more than we compute"):
        fill(floats(1, 49153), window(65536), features=told)


@pytest.mark.parametrize(
    ("spec", "features"),
    [
        (floats(1, 1961), SPEECH),
        (floats(1, 10), {"kind": "statistics"}),
        (floats(1, 49, 39), MEL),
    ],
)
def test_an_input_that_no_window_fills_is_refused_when_the_model_is_loaded(
    spec: TensorSpec, features: dict[str, Any]
) -> None:
    with pytest.raises(ManifestInvalid, match="no window gives"):
        Preprocessor(spec, pre_of({"features": features}))


@given(
    hnp.arrays(np.float32, (1000, 2), elements=st.floats(width=32), fill=st.floats(width=32)),
    st.sampled_from(["log_mel", "mfcc", "spectrum", "statistics", ""]),
    st.sampled_from([{"kind": "zscore"}, {"kind": "min_max", "over": "window"}, None]),
    st.sampled_from(["float32", "int8"]),
)
def test_whatever_a_sensor_gives_fills_the_input_or_is_refused(
    data: Array, kind: str, normalise: dict[str, Any] | None, dtype: str
) -> None:
    shapes = {"log_mel": (2, 40, 2), "mfcc": (2, 13, 2), "spectrum": (501, 2), "statistics": (9, 2)}
    told: dict[str, Any] = {"normalise": normalise} if normalise else {}
    if kind:
        told["features"] = {**MEL, "kind": kind} if kind in {"log_mel", "mfcc"} else {"kind": kind}
    shape = (1, *shapes.get(kind, (1000, 2)))
    spec = TensorSpec("x", dtype, shape, (0.5,), (0,)) if dtype == "int8" else floats(*shape)
    if np.isfinite(data).all():
        assert np.isfinite(fill(spec, data, **told)).all()
    else:
        with pytest.raises(InputRejected, match="NaN or infinite"):
            fill(spec, data, **told)


@given(st.integers(480, 4000), st.integers(1, 3), st.integers(160, 900))
def test_the_shape_that_is_foreseen_is_the_one_that_is_computed(
    samples: int, channels: int, hop: int
) -> None:
    count = 1 + (samples - 480) // hop
    spec = floats(1, count, 40, channels) if channels > 1 else floats(1, count, 40)
    assert np.isfinite(fill(spec, window(samples, channels), features={**MEL, "hop": hop})).all()
