"""What every gate must keep to, whatever a source gives it."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from agent import plugins
from agent.errors import InputRejected
from agent.types import Frame

if TYPE_CHECKING:
    from types import ModuleType

    from agent.screening import Admission, FrameGate
    from agent.types import Array

NAMES = plugins.names("gates")
# Options that have no default, and further ones that the gate should be tried with: a new gate adds its own.
REQUIRED: dict[str, dict[str, Any]] = {"level": {"threshold": 0.5}, "schedule": {"windows": [{}]}}
OTHERS: dict[str, list[dict[str, Any]]] = {
    "level": [{"measure": "peak", "center": False, "every_s": 1}],
    "motion": [
        {"region": True, "hold_s": 0, "every_s": 0, "min_area": 1e-6, "threshold": 1},
        {"region": True, "margin": 2, "min_side": 0, "mask": [{"points": [[0.2, 0.2], [0.9, 0.9]]}]},
    ],
}

sizes = st.tuples(st.integers(1, 40), st.integers(1, 40)) | st.sampled_from(
    [(1, 1), (1, 700), (700, 1), (240, 320), (2, 3000)]
)


def build(name: str, options: dict[str, Any]) -> FrameGate:
    module = plugins.load("gates", name)
    gate: FrameGate = module.build(module.Options.model_validate({**REQUIRED.get(name, {}), **options}))
    return gate


def check(admission: Admission | None) -> None:
    """Check what holds for each answer: a region has an area and lies in the frame."""
    if admission is not None:
        assert all(type(one) is float for one in admission.region)
        top, left, bottom, right = admission.region
        assert 0 <= top < bottom <= 1
        assert 0 <= left < right <= 1


def ask(gate: FrameGate, data: Array, seq: int, now_ns: int) -> bool:
    """Ask a gate of one frame; give whether it passes. The gate must not write to the frame."""
    data.flags.writeable = False
    before, refusal, admission = data.tobytes(), "", None
    try:
        admission = gate.admit(Frame(seq, now_ns, data))
    except InputRejected as error:
        refusal = f"{error.hint}: {error}"
    assert data.tobytes() == before
    assert "\n" not in refusal
    assert not refusal.startswith(":")
    check(admission)
    return admission is not None


@st.composite
def pictures(draw: st.DrawFn) -> Array:
    """Give a picture of any size and layout: plain, of noise, or with another rectangle in it."""
    height, width = draw(sizes)
    shape = (height, width, *draw(st.sampled_from([(), (1,), (3,), (4,)])))
    picture = np.full(shape, draw(st.integers(0, 255)), np.uint8)
    if draw(st.booleans()):
        picture[:] = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, shape)
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    picture[top : top + draw(st.integers(0, height)), left : left + draw(st.integers(0, width))] += draw(
        st.integers(0, 255).map(np.uint8)
    )
    return picture


windows = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.float16]),
    st.tuples(st.integers(0, 9)) | st.tuples(st.integers(0, 9), st.integers(0, 4)),
    elements=st.floats(width=16) | st.sampled_from([0.0, float("nan"), float("inf")]),
)
ODDITIES: list[Array] = [
    np.zeros((0, 4, 3), np.uint8),
    np.zeros((4, 4, 2), np.uint8),
    np.zeros((2, 2, 2, 3), np.uint8),
    np.zeros((), np.float32),
    np.full((3, 2), 3e38, np.float32),
    np.full((3, 2), 1e300, np.float64),
    np.zeros((4, 4), bool),
    np.zeros(5, np.int16),
    np.zeros((2, 2), np.complex64),
]

frames: st.SearchStrategy[Array] = st.one_of(pictures(), windows, st.sampled_from(ODDITIES))


@pytest.fixture(params=NAMES)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return plugins.load("gates", request.param)


def test_options_have_descriptions_and_refuse_what_they_do_not_know(module: ModuleType) -> None:
    name = module.__name__.rpartition(".")[2]
    needed = {key for key, field in module.Options.model_fields.items() if field.is_required()}
    assert needed == REQUIRED.get(name, {}).keys()
    with pytest.raises(ValidationError, match="extra_forbidden"):
        module.Options(**REQUIRED.get(name, {}), no_such_option=1)
    options = module.Options(**REQUIRED.get(name, {}))
    with pytest.raises(ValidationError):
        options.__setattr__(next(iter(module.Options.model_fields)), 1)
    assert all(field.description for field in module.Options.model_fields.values())


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_frames_at_all_get_an_answer_or_a_refusal(name: str, data: st.DataObject) -> None:
    gate = build(name, data.draw(st.sampled_from([{}, *OTHERS.get(name, [])])))
    now_ns = data.draw(st.integers(0, 1 << 62))
    for seq in range(data.draw(st.integers(1, 8))):
        frame = data.draw(frames).copy()
        now_ns = max(0, now_ns + data.draw(st.integers(-(10**9), 10**10)))
        ask(gate, frame, seq, now_ns)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_frames_of_one_kind_in_a_row_get_one_too(name: str, data: st.DataObject) -> None:
    gate = build(name, data.draw(st.sampled_from([{}, *OTHERS.get(name, [])])))
    first = data.draw(pictures())
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    for seq in range(12):
        frame = np.where(
            rng.random(first.shape) < data.draw(st.sampled_from([0, 0.1, 1])), 255 - first, first
        )
        ask(gate, frame.astype(np.uint8), seq, seq * 10**8)


@pytest.mark.parametrize("name", NAMES)
def test_memory_stays_bounded_however_many_frames_come(name: str) -> None:
    rng = np.random.default_rng(1)
    shown: list[Array] = [rng.integers(0, 256, (120, 160, 3)).astype(np.uint8) for _ in range(4)]
    shown += [rng.standard_normal((256, 3)).astype(np.float32)]
    gate = build(name, {})
    for seq in range(10):
        ask(gate, shown[seq % 5], seq, seq * 10**7)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for seq in range(10, 300):
            ask(gate, shown[seq % 5], seq, seq * 10**7)
        after, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1 << 20
    assert most - before < 16 << 20


@pytest.mark.parametrize("name", NAMES)
def test_two_gates_that_are_told_the_same_say_the_same(name: str) -> None:
    rng = np.random.default_rng(2)
    one, two = build(name, {}), build(name, {})
    for seq in range(30):
        picture = rng.integers(0, 256, (48, 64, 3)).astype(np.uint8) // (1 + seq % 3)
        window = (rng.standard_normal((64, 2)) * (seq % 3)).astype(np.float32)
        for frame in (picture, window):
            assert ask(one, frame, seq, seq * 10**8) == ask(two, frame, seq, seq * 10**8)
