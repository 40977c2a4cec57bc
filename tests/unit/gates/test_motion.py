"""The motion gate: what moves passes, what does not is left out, whatever light and noise do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import InputRejected
from agent.gates.motion import MotionGate, Options, build
from agent.pictures import Area
from agent.sources.synthesis import still
from agent.sources.synthesis.drawing import Camera
from agent.sources.synthesis.scene import SCENE_FRAMES
from agent.sources.synthesis.shapes import sights
from agent.types import WHOLE, Frame

if TYPE_CHECKING:
    from agent.screening import Admission
    from agent.types import Array, Box

FIRST = 5
"""So many frames pass before anything is known."""


class View:
    """A gate before a camera of ten frames a second; ``show`` says what it makes of a picture."""

    def __init__(self, **options: object) -> None:
        self.gate: MotionGate = build(Options.model_validate({"hold_s": 0, "every_s": 0, **options}))
        self.now_ns = 0
        self.seq = 0

    def show(self, picture: Array, step_s: float = 0.1) -> Admission | None:
        self.now_ns += round(step_s * 1e9)
        self.seq += 1
        return self.gate.admit(Frame(self.seq, self.now_ns, picture))

    def passes(self, picture: Array, count: int = 1) -> int:
        """Show a picture so often; give how often it passed."""
        return sum(self.show(picture) is not None for _ in range(count))

    def region(self, picture: Array) -> Box:
        admission = self.show(picture)
        assert admission is not None
        return admission.region


def place(width: int = 320, height: int = 240, seed: int = 1) -> Array:
    """Give a picture with something in it: clouds in three colours."""
    rng = np.random.default_rng(seed)
    clouds = rng.uniform(40, 180, (6, 8, 3))
    return np.clip(cv2.resize(clouds, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255).astype(
        np.uint8
    )


def noisy(picture: Array, rng: np.random.Generator, sigma: float) -> Array:
    noise = rng.normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def with_block(picture: Array, top: int, left: int, side: int, change: int = 60) -> Array:
    """Give a copy whose block differs by so many grey levels, each point in the way that it can."""
    made = picture.copy()
    block = made[top : top + side, left : left + side].astype(int)
    block += np.where(block < 128, change, -change)
    made[top : top + side, left : left + side] = block
    return made


def test_the_first_frames_pass_and_then_nothing_does_while_nothing_moves() -> None:
    view = View()
    assert [view.show(place()) is not None for _ in range(20)] == [True] * FIRST + [False] * 15


@pytest.mark.parametrize("sigma", [1.0, 6.0, 20.0, 50.0])
def test_noise_is_no_motion_and_a_block_in_it_is(sigma: float) -> None:
    rng = np.random.default_rng(3)
    view = View()
    assert sum(view.show(noisy(place(), rng, sigma)) is not None for _ in range(80)) == FIRST
    moved = with_block(place(), 100, 200, 40, change=70)
    assert all(view.show(noisy(moved, rng, sigma)) for _ in range(10))


def test_noise_that_grows_at_once_is_no_motion_for_longer_than_a_moment() -> None:
    rng = np.random.default_rng(4)
    view = View()
    for _ in range(40):
        view.show(noisy(place(), rng, 1))
    assert sum(view.show(noisy(place(), rng, 15)) is not None for _ in range(40)) <= 2


@settings(max_examples=40, deadline=None)
@given(
    gains=st.tuples(*[st.floats(0.7, 1.15)] * 3),
    offset=st.floats(-25, 20),
    top=st.integers(0, 200),
    left=st.integers(0, 280),
)
def test_another_light_is_learnt_at_once_and_what_moves_in_it_is_seen(
    gains: tuple[float, float, float], offset: float, top: int, left: int
) -> None:
    view = View()
    view.passes(place(), 30)
    light = np.clip(place() * np.array(gains) + offset, 0, 255).astype(np.uint8)
    assert view.passes(light, 30) == 0
    assert view.show(with_block(light, top, left, 30)) is not None


def test_another_view_is_an_event_and_is_then_learnt() -> None:
    view = View(region=True)
    view.passes(place(), 30)
    assert view.region(place(seed=9)) == WHOLE
    assert view.passes(place(seed=9), 30) == FIRST - 1


def test_another_size_is_another_view() -> None:
    view = View()
    view.passes(place(), 30)
    assert view.passes(place(160, 120), 30) == FIRST
    assert view.passes(cv2.cvtColor(place(160, 120), cv2.COLOR_BGR2GRAY), 30) == FIRST


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    size=st.sampled_from([(64, 48), (320, 240), (640, 360), (240, 320), (1000, 300)]),
    layers=st.sampled_from([0, 1, 3, 4]),
    change=st.integers(25, 120),
)
def test_what_moves_is_never_missed_and_lies_in_the_region(
    data: st.DataObject, size: tuple[int, int], layers: int, change: int
) -> None:
    width, height = size
    side = max(4, round(0.06 * max(size)))
    picture = place(width, height)
    if layers < 3:
        picture = picture[:, :, 0] if layers == 0 else picture[:, :, :1]
    elif layers == 4:
        picture = np.dstack([picture, np.full((height, width), 255, np.uint8)])
    view = View(region=True)
    view.passes(picture, 20)
    for _ in range(10):
        top = data.draw(st.integers(0, height - side))
        left = data.draw(st.integers(0, width - side))
        ymin, xmin, ymax, xmax = view.region(with_block(picture, top, left, side, change))
        slack = 2 / 160
        assert 0 <= ymin <= top / height + slack
        assert 0 <= xmin <= left / width + slack
        assert (top + side) / height - slack <= ymax <= 1
        assert (left + side) / width - slack <= xmax <= 1


def test_a_shape_of_the_backgrounds_brightness_but_of_another_colour_is_seen() -> None:
    picture = np.full((120, 160, 3), (100, 100, 100), np.uint8)
    view = View()
    view.passes(picture, 10)
    picture = picture.copy()
    picture[40:60, 40:60] = (100, 75, 149)
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    assert np.ptp(gray) <= 1
    assert view.show(picture) is not None


def test_what_is_smaller_than_the_least_area_does_not_count() -> None:
    view = View(min_area=0.02)
    view.passes(place(), 10)
    assert view.show(with_block(place(), 50, 50, 30)) is None
    assert view.show(with_block(place(), 50, 50, 60)) is not None


def test_small_things_far_apart_are_not_one_large_thing() -> None:
    view = View(min_area=0.02)
    view.passes(place(), 10)
    picture = place()
    for left in (20, 100, 180, 260):
        picture = with_block(picture, 100, left, 30)
    assert view.show(picture) is None


def test_what_is_masked_does_not_count() -> None:
    view = View(mask=(Area(points=((0, 0), (0.5, 1))),))
    view.passes(place(), 10)
    assert view.show(with_block(place(), 50, 50, 60)) is None
    assert view.show(with_block(place(), 50, 220, 60)) is not None


def test_with_all_of_it_masked_only_what_is_due_passes() -> None:
    view = View(mask=(Area(points=((0, 0), (1, 1))),), every_s=1)
    view.passes(place(), 10)
    assert view.passes(place(seed=2), 100) == 10


def test_frames_pass_for_a_while_after_the_last_motion() -> None:
    view = View(hold_s=0.95)
    view.passes(place(), 30)
    view.show(with_block(place(), 50, 50, 60))
    assert [view.show(place()) is not None for _ in range(15)] == [True] * 9 + [False] * 6


def test_one_passes_at_least_so_often() -> None:
    view = View(every_s=2)
    view.passes(place(), 10)
    assert view.passes(place(), 200) == 10


def test_what_stands_still_is_background_after_a_while_and_what_comes_back_later_is_seen() -> None:
    view = View(learn_s=3)
    view.passes(place(), 100)
    parked = with_block(place(), 50, 50, 60)
    assert 20 < view.passes(parked, 300) < 150
    assert view.show(place()) is not None


def test_a_passer_in_the_first_frames_is_not_seen_for_ever() -> None:
    view = View(learn_s=30)
    view.passes(with_block(place(), 50, 50, 60), FIRST)
    assert view.passes(place(), 600) < 300


def test_what_creeps_is_seen_all_the_way() -> None:
    view = View(learn_s=10)
    view.passes(place(), 50)
    assert all(view.show(with_block(place(), 100, 20 + at // 10, 40)) for at in range(600))


def test_a_region_stays_while_what_moves_only_jitters() -> None:
    view = View(region=True)
    view.passes(place(), 20)
    regions = {view.region(with_block(place(), 100 + at % 5, 150 - at % 3, 40)) for at in range(20)}
    assert len(regions) == 1
    [(top, left, bottom, right)] = regions
    assert (bottom - top) * 240 == pytest.approx((right - left) * 320)
    assert view.region(with_block(place(), 10, 10, 40)) not in regions


def test_the_region_of_a_held_frame_is_the_last_one_and_of_one_that_is_due_the_whole() -> None:
    view = View(region=True, hold_s=0.3, every_s=1)
    view.passes(place(), 20)
    region = view.region(with_block(place(), 100, 150, 40))
    assert region != WHOLE
    assert view.region(place()) == region
    later = [view.show(place()) for _ in range(15)]
    assert [one.region for one in later if one][-1] == WHOLE


@pytest.mark.parametrize("min_side", [0.2, 0.5, 0.9])
def test_a_region_has_a_least_side(min_side: float) -> None:
    view = View(region=True, min_side=min_side)
    view.passes(place(), 20)
    top, left, bottom, right = view.region(with_block(place(), 0, 0, 12))
    assert (top, left) == (0, 0)
    assert bottom * 240 == pytest.approx(right * 320) == pytest.approx(min_side * 240)


def test_time_that_stands_still_or_goes_back_does_no_harm() -> None:
    view = View(every_s=1)
    for step_s in (0.0, -5.0, 0.1, 0.0):
        view.show(place(), step_s)
    assert view.passes(place(), 9) < 9


def test_a_window_of_samples_is_refused() -> None:
    with pytest.raises(InputRejected, match=r"is no picture\. Remove the gate 'motion' from"):
        View().show(np.zeros((16, 2), np.float32))


@pytest.mark.parametrize("seed", range(3))
def test_of_a_still_place_all_passes_that_shows_a_shape_and_nothing_else(seed: int) -> None:
    scenes = range(400)
    busy = next(number for number in scenes if len(still.scene(seed, number).movers) == 2)
    camera = Camera(320, 240, seed, 6.0, 0.1, scenes=still.scene)
    view = View(learn_s=120)
    for seq in [*range(30), *range(busy * SCENE_FRAMES, (busy + 1) * SCENE_FRAMES), *range(30)]:
        shown = sights(seed, seq, 320, 240, scenes=still.scene)
        seen = max((one.visible for one in shown), default=0.0)
        passed = view.show(camera.draw(seq)) is not None
        if view.seq > FIRST and (seen == 0 or seen > 0.02):
            assert passed == (seen > 0), (seq, seen)
