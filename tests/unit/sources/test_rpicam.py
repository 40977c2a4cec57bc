"""A Raspberry Pi's camera, played by a program that takes the same options."""

from __future__ import annotations

import itertools
import json
import os
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from agent.errors import ExtraMissing, InputRejected, SourceLost
from agent.sources.rpicam import Options, build, command, needs
from tests.simulators import fake_rpicam
from tests.simulators.running_agent import RunningAgent, until_gone

if TYPE_CHECKING:
    from pathlib import Path

    from agent.sources.pictures.flow import FlowSource
    from agent.types import Frame


def options(folder: Path, mood: dict[str, Any] | None = None, **more: Any) -> Options:
    program = fake_rpicam.install(folder / "bin", **(mood or {}))
    return Options(**{"program": program, "width": 64, "height": 64, "fps": 100, **more})


def opened(folder: Path, mood: dict[str, Any] | None = None, **more: Any) -> FlowSource:
    return build(options(folder, mood, **more), start=0)


def frame_of(source: FlowSource) -> Frame:
    deadline = time.monotonic() + 30
    while (frame := source.read(0.5)) is None:
        assert time.monotonic() < deadline
    return frame


def starts(log: Path) -> list[tuple[int, list[str]]]:
    return [tuple(json.loads(line)) for line in log.read_text().splitlines()]


@pytest.mark.parametrize("form", ["MJPG", "YU12"])
def test_pictures_come_as_jpegs_or_raw(tmp_path: Path, form: str) -> None:
    with closing(opened(tmp_path, format=form)) as source:
        frames = [frame_of(source) for _ in range(3)]
    assert [frame.seq for frame in frames] == [0, 1, 2]
    assert frames[0].data.shape == (64, 64, 3)
    blue, green, red = (int(value) for value in frames[0].data[32, 32])
    assert blue < green < red  # (30, 120, 200), and what y, u, v = 128, 96, 160 is


def test_it_is_told_what_is_configured_and_ends_with_the_source(tmp_path: Path) -> None:
    log = tmp_path / "log"
    more = {"camera": 1, "width": 128, "height": 96, "arguments": ("--rotation", "180")}
    with closing(opened(tmp_path, {"log": str(log)}, **more)) as source:
        frame_of(source)
        [(pid, told)] = starts(log)
        os.kill(pid, 0)
    assert until_gone(pid)
    pairs = {"--timeout": "0", "--camera": "1", "--codec": "mjpeg", "--width": "128", "--height": "96"}
    pairs |= {"--framerate": "100", "--output": "-", "--rotation": "180"}
    assert pairs.items() <= dict(itertools.pairwise(told)).items()
    assert {"--nopreview", "--flush"} <= set(told)


@pytest.mark.parametrize(
    ("says", "hint"),
    [
        (
            "ERROR: *** no cameras available ***",
            "Connect a camera, and see that rpicam-hello --list-cameras lists it",
        ),
        (
            "ERROR: *** selected camera is not available ***",
            "Choose one that rpicam-hello --list-cameras lists",
        ),
        (
            "ERROR: *** failed to acquire camera /base/soc/i2c0mux/i2c@1/imx708@1a ***",
            "Stop the other program",
        ),
        ("terminate called: Permission denied", "Let this user open /dev/video*"),
        ("ERROR: *** unrecognised option '--rotate' ***", "Correct arguments"),
        ("ERROR: *** something new ***", "Run the same program by hand"),
    ],
)
def test_a_camera_that_cannot_be_had_is_a_loss_with_the_programs_last_words(
    tmp_path: Path, says: str, hint: str
) -> None:
    with pytest.raises(SourceLost) as caught:
        opened(tmp_path, {"says": says})
    assert str(caught.value).startswith(
        f"read camera rpicam-vid 0: rpicam-vid: {says} (exit code 255). {hint}"
    )
    assert "\n" not in str(caught.value)


def test_a_program_that_is_missing_is_named_with_its_package(tmp_path: Path) -> None:
    with pytest.raises(ExtraMissing, match=r"there is no program .*none.*sudo apt install rpicam-apps-lite"):
        build(Options(program=str(tmp_path / "none")), start=0)


def test_the_older_name_is_taken_where_there_is_no_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    fake_rpicam.install(tmp_path / "bin", "libcamera-vid")
    for expected in ("libcamera-vid", "rpicam-vid"):
        told = tmp_path / expected
        fake_rpicam.install(tmp_path / "bin", expected, log=str(told))
        with closing(build(Options(width=64, height=64), start=0)) as source:
            assert frame_of(source).seq == 0
        assert len(starts(told)) == 1


def test_a_read_waits_no_longer_than_asked_and_a_freeze_is_a_loss(tmp_path: Path) -> None:
    with closing(opened(tmp_path, {"freezes_after": 3}, silence_s=2.5)) as source:
        for _ in range(3):
            frame_of(source)
        began = time.monotonic()
        assert source.read(0.05) is None
        assert 0.05 <= time.monotonic() - began < 2
        with pytest.raises(SourceLost, match=r"no frame for \d\.\d s\. See that the camera's cable is firm"):
            frame_of(source)


def test_one_that_gives_nothing_at_all_is_told_when_it_is_opened(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(SourceLost, match=r"no frame for 2\.\d s"):
        opened(tmp_path, {"starts_s": 60, "log": str(log)}, silence_s=2.5)
    [(pid, _)] = starts(log)
    assert until_gone(pid)


def test_one_that_dies_is_lost_after_its_last_frame_and_another_goes_on(tmp_path: Path) -> None:
    source = opened(tmp_path, {"ends_after": 3})
    assert [frame_of(source).seq for _ in range(3)] == [0, 1, 2]
    with pytest.raises(SourceLost, match="the device went away"):
        frame_of(source)
    source.close()
    with closing(build(options(tmp_path), start=3)) as again:
        assert frame_of(again).seq == 3


def test_a_damaged_picture_fails_alone(tmp_path: Path) -> None:
    with closing(opened(tmp_path, {"bad_every": 3})) as source:
        assert frame_of(source).seq == 0
        with pytest.raises(InputRejected):
            frame_of(source)
        assert frame_of(source).seq == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": "YU12", "width": 1000},
        {"height": 481},
        {"arguments": ("-o", "/tmp/x")},
        {"arguments": ("-o/tmp/x",)},
        {"arguments": ("--output=/tmp/x",)},
        {"arguments": ("--timeout", "5000")},
        {"arguments": ("a\0b",)},
        {"silence_s": 26},
    ],
)
def test_what_cannot_be_asked_for_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options(**wrong)


def test_the_launcher_is_told_of_both_names_whole_and_the_worker_gets_no_device() -> None:
    wanted = needs(Options(camera=2))
    assert wanted.devices == wanted.read == ()
    assert [one.argv for one in wanted.programs] == [
        command(Options(camera=2), name) for name in ("rpicam-vid", "libcamera-vid")
    ]
    assert all(one.needs.hotplug and not one.needs.network for one in wanted.programs)


@pytest.mark.landlock
def test_a_confined_worker_reads_it_loses_it_when_it_dies_and_has_it_started_again(tmp_path: Path) -> None:
    program = fake_rpicam.install(tmp_path / "bin", ends_after=30)
    source = f'source = {{ kind = "rpicam", program = "{program}", width = 64, height = 64, fps = 30 }}'
    with RunningAgent(tmp_path, source) as running:
        running.until(lambda _: "the device went away" in running.log)
        worker = running.worker
        found = running.until(lambda pipeline: pipeline["ledger"]["inferred"] > 40)
        assert (found["pid"], found["restarts"]) == (worker, 0)
        assert found["confined"]["seccomp"]
        assert found["balanced"]
        fake_rpicam.install(tmp_path / "bin")  # another file, which the launcher may not run
        found = running.until(lambda pipeline: pipeline["restarts"] == 1 and pipeline["fps"] > 0)
        assert found["pid"] != worker
        assert "it was put there after this process had confined itself" in running.log
        assert running.end() == 0
