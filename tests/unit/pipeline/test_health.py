"""A camera's faults are found, each by its name, and a sound camera has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from agent.errors import InputRejected
from agent.pictures import FAULTS, Health, Region
from agent.pipeline.health import Teller, Unwell, Watch
from agent.sources.synthesis import scene, shapes
from agent.sources.synthesis.drawing import Camera
from agent.types import Frame
from tests.simulators.faulty_camera import FaultyCamera

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from agent.pictures import Fault
    from agent.types import Array

FPS = 5
QUICK = Health(learn_s=10, seconds=1, frozen_s=2, frames=2)
CLEAN, ILL = 60, 40


class Ward:
    """Shows pictures to a watch, so many a second, and notes what it says of each."""

    def __init__(self, health: Health = QUICK, regions: Sequence[Region] = (), fps: float = FPS) -> None:
        self.at = 0
        self.fps = fps
        self.said: list[tuple[int, Mapping[str, object]]] = []
        self.refused: list[str] = []
        self.watch = Watch(health, Teller(lambda message: self.said.append((self.at, message))), regions)

    def show(self, pictures: Iterable[Array]) -> Ward:
        for picture in pictures:
            self.at += 1
            try:
                self.watch(Frame(self.at, round(self.at * 1e9 / self.fps), picture))
            except Unwell as error:
                self.refused.append(error.reason)
        return self

    @property
    def told(self) -> list[tuple[object, object]]:
        return [(message["type"], message["fault"]) for _, message in self.said]


def shots(camera: FaultyCamera, count: int, fault: Fault | None = None, start: int = 0) -> list[Array]:
    return [camera.draw(start + at, fault) for at in range(count)]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_when_it_begins_and_when_it_ends(fault: Fault) -> None:
    camera, ward = FaultyCamera(), Ward()
    ward.show(shots(camera, CLEAN))
    assert ward.said == []
    ward.show(shots(camera, ILL, fault, CLEAN))
    assert ward.told == [("unwell", fault)]
    ward.show(shots(camera, CLEAN, None, CLEAN + ILL))
    assert ward.told == [("unwell", fault), ("well", fault)]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_within_its_seconds_and_not_before(fault: Fault) -> None:
    camera, ward = FaultyCamera(), Ward()
    ward.show(shots(camera, CLEAN)).show(shots(camera, ILL, fault, CLEAN))
    [(at, _)] = ward.said
    seconds = QUICK.frozen_s if fault == "frozen" else QUICK.seconds
    assert seconds <= (at - CLEAN - 1) / FPS <= seconds + 2 / FPS


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_after_its_seconds_and_not_before_even_when_it_has_only_begun(fault: Fault) -> None:
    for ill in (ILL, 0):
        camera, ward = FaultyCamera(), Ward()
        ward.show(shots(camera, CLEAN)).show(shots(camera, ill, fault, CLEAN))
        while not ward.said:  # its last frame is the one that it is told with
            ward.show([camera.draw(ward.at, fault)])
        began = ward.at
        ward.show(shots(camera, CLEAN, None, began))
        [_, (at, _)] = ward.said
        assert QUICK.seconds <= (at - began - 1) / FPS <= QUICK.seconds + 2 / FPS


def test_a_fault_needs_its_frames_too_however_long_they_take() -> None:
    camera, ward = FaultyCamera(), Ward(Health(frames=9, seconds=0.5))
    ward.show(shots(camera, CLEAN)).show(shots(camera, 8, "overexposed", CLEAN))
    assert ward.said == []
    ward.show(shots(camera, 1, "overexposed", CLEAN))
    assert ward.told == [("unwell", "overexposed")]


@pytest.mark.parametrize("fault", ["black", "blocked", "overexposed"])
def test_a_camera_that_is_turned_while_nothing_is_seen_has_moved_afterwards(fault: Fault) -> None:
    camera, ward = FaultyCamera(), Ward()
    ward.show(shots(camera, CLEAN))
    ward.show(shots(camera, 30 * FPS, fault, CLEAN))  # so long that a view would be forgotten
    ward.show(shots(camera, ILL, "moved", CLEAN))
    assert ("unwell", "moved") in ward.told


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_nobody_asked_for_is_not_told(fault: Fault) -> None:
    others = tuple(one for one in FAULTS if one != fault)
    ward = Ward(QUICK.model_copy(update={"faults": others}))
    camera = FaultyCamera()
    ward.show(shots(camera, CLEAN)).show(shots(camera, ILL, fault, CLEAN))
    assert fault not in {told for _, told in ward.told}
    assert fault not in ward.refused


def test_frames_that_show_nothing_have_no_answer_and_the_others_go_on() -> None:
    refused: dict[Fault, int] = {}
    for fault in FAULTS:
        camera, ward = FaultyCamera(), Ward()
        ward.show(shots(camera, CLEAN)).show(shots(camera, ILL, fault, CLEAN)).show(shots(camera, CLEAN))
        assert set(ward.refused) <= {fault}
        refused[fault] = len(ward.refused)
    # Black at once; blocked and frozen from when it is told: that frame, too.
    assert refused == {
        "frozen": ILL - 1 - 2 * FPS, "black": ILL, "blocked": ILL - FPS,
        "overexposed": 0, "blurred": 0, "moved": 0,
    }  # fmt: skip


def test_a_frame_with_two_faults_is_counted_under_the_first_of_the_list_that_is_there() -> None:
    ward = Ward().show([np.zeros((240, 320, 3), np.uint8)] * ILL)
    frozen = ILL - 1 - 2 * FPS
    assert ward.refused == ["black"] * (ILL - frozen) + ["frozen"] * frozen


def test_who_asks_for_it_gets_answers_to_all_frames() -> None:
    ward = Ward(QUICK.model_copy(update={"infer": True}))
    camera = FaultyCamera()
    ward.show(shots(camera, ILL, "black"))
    assert ward.told == [("unwell", "black")]
    assert ward.refused == []


def test_one_bad_frame_among_good_ones_is_no_fault() -> None:
    camera, ward = FaultyCamera(), Ward()
    for at in range(60):
        ward.show([camera.draw(at, "overexposed" if at % 3 else None)])
    assert ward.said == []


@pytest.mark.parametrize("fault", ["black", "overexposed", "blurred", "blocked", "moved"])
def test_a_fault_that_grows_is_found_on_its_way_and_called_by_its_name(fault: Fault) -> None:
    camera, ward = FaultyCamera(), Ward()
    ward.show(shots(camera, CLEAN))
    for step in range(CLEAN):
        ward.show([camera.draw(CLEAN + step, fault, min(1.0, step / 30))])
    assert ("unwell", fault) in ward.told


@pytest.mark.parametrize(("fps", "needed"), [(25, 250), (2, 20), (0.01, 10)])
def test_a_view_is_learnt_by_the_clock_and_a_frame_counts_for_a_second_at_most(
    fps: float, needed: int
) -> None:
    for count, known in ((needed - 1, False), (needed + 1, True)):
        camera, ward = FaultyCamera(), Ward(Health(learn_s=10, seconds=0, frames=1), fps=fps)
        ward.show(shots(camera, count)).show(shots(camera, 1, "moved", count))
        assert (("unwell", "moved") in ward.told) is known


def test_a_new_view_becomes_the_usual_one() -> None:
    camera, ward = FaultyCamera(), Ward()
    ward.show(shots(camera, CLEAN)).show(shots(camera, (10 * 10 + 5) * FPS, "moved", CLEAN))
    assert ward.told == [("unwell", "moved"), ("well", "moved")]
    ward.show(shots(camera, CLEAN, "moved"))
    assert len(ward.said) == 2


def test_short_looks_elsewhere_do_not_add_up_to_a_new_view() -> None:
    camera, ward = FaultyCamera(), Ward()
    ward.show(shots(camera, CLEAN))
    for _ in range(2):  # each of them 60 of the 100 seconds
        ward.show(shots(camera, 60 * FPS, "moved")).show(shots(camera, 20 * FPS))
    assert ward.told == [("unwell", "moved"), ("well", "moved")] * 2


def test_a_light_that_goes_out_moves_nothing() -> None:
    camera, ward = FaultyCamera(noise=2.0), Ward()
    ward.show(shots(camera, CLEAN))
    ward.show([camera.draw(at, "black", 0.85) for at in range(ILL)])
    assert ("unwell", "moved") not in ward.told


@pytest.mark.parametrize("noise", [0.0, 6.0, 16.0])
@pytest.mark.parametrize("exposure", [0.6, 1.0, 1.3])
@pytest.mark.parametrize("scenes", [scene.scene, shapes.scene], ids=["glyph", "shapes"])
def test_the_synthetic_camera_is_well_at_any_noise_and_exposure(
    scenes: Callable[[int, int], Any], exposure: float, noise: float
) -> None:
    camera, ward = Camera(320, 240, 3, noise, 0.1, scenes=scenes), Ward(Health())
    ward.show(cv2.convertScaleAbs(camera.draw(at * 9), alpha=exposure) for at in range(100))
    assert ward.said == []
    assert ward.refused == []


@pytest.mark.shared
def test_public_pictures_are_those_of_sound_cameras(shared: Path) -> None:
    names = sorted(one for one in (shared / "models" / "media").iterdir() if one.suffix in {".bmp", ".jpg"})
    assert names
    for name in names:
        ward = Ward(Health(frames=1, seconds=0))
        picture = cv2.imread(str(name))
        assert picture is not None
        ward.show([picture])
        assert (ward.told, ward.refused) == ([], []), name.name


@pytest.mark.parametrize(("contrast", "told"), [(22, []), (44, [("unwell", "blurred")])])
def test_where_all_is_nearly_as_bright_nothing_is_said_of_its_sharpness(contrast: int, told: object) -> None:
    fog = np.full((120, 160), 100, np.uint8)
    fog[:, 80:] += contrast
    ward = Ward(Health(frames=1, seconds=0, blurred=2))
    assert ward.show([cv2.GaussianBlur(fog, (0, 0), 1.0)]).told == told


def test_what_is_hidden_speaks_neither_for_nor_against_the_camera() -> None:
    half = Region(points=((0.0, 0.0), (0.5, 1.0)))
    camera = FaultyCamera()
    ward = Ward(QUICK, [half])
    for picture in shots(camera, ILL, "blocked"):
        picture[:, :160] = 0
        picture[::2, :158:2] = 255  # a pattern where nobody may look
        ward.show([picture])
    assert ward.told == [("unwell", "blocked")]
    hidden = Ward(QUICK, [Region(points=((0.0, 0.0), (1.0, 1.0)))])
    hidden.show(np.zeros((240, 320, 3), np.uint8) + at for at in range(ILL))
    assert hidden.said == []


@pytest.mark.parametrize("shape", [(1, 1), (2, 3, 1), (7, 500, 3), (900, 40, 4), (120, 160)])
def test_pictures_of_any_size_and_kind_can_be_looked_at(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    ward = Ward().show(rng.integers(0, 255, shape, np.uint8) for _ in range(4))
    assert ward.refused == []


@pytest.mark.parametrize("regions", [[], [Region(points=((0.0, 0.0), (0.5, 1.0)))]], ids=["all", "half"])
def test_frames_may_change_their_size(regions: list[Region]) -> None:
    camera, ward = FaultyCamera(), Ward(QUICK, regions)
    for at in range(2 * CLEAN):
        ward.show([cv2.resize(camera.draw(at), (320, 240) if at % 40 < 20 else (150, 100))])
    assert ward.said == []


def test_what_is_no_picture_is_refused_with_the_key_to_remove() -> None:
    with pytest.raises(InputRejected, match=r"float32.*is no picture\. Remove health from the pipeline"):
        Ward().watch(Frame(0, 0, np.zeros((8, 3), np.float32)))
