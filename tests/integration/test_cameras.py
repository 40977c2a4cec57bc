"""The agent as a program before simulated cameras: check, run, doctor."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulators.running_agent import RunningAgent, balanced

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulators.cameras import Cameras

SOURCE = 'source = { kind = "camera", device = "/dev/video0", silence_s = 0.5 }'


def agent(machine: Cameras, folder: Path) -> RunningAgent:
    made = RunningAgent(folder, SOURCE)
    made.program, made.environment = machine.program, machine.environment
    return made


def written(folder: Path, options: str = "") -> str:
    path = folder / "agent.toml"
    path.write_text(
        f'[store]\npath = "data"\n[[pipelines]]\nname = "door"\nmodel = "glyphs"\n'
        f'source = {{ kind = "camera"{options} }}\n'
    )
    return str(path)


def test_a_check_reads_one_frame_of_the_camera_and_frees_it(machine: Cameras, tmp_path: Path) -> None:
    machine.plug()
    done = machine.run("check", "--config", written(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "ok   pipeline door: glyphs" in done.stdout
    assert machine.log.count("open video0") == machine.log.count("close video0") > 0


@pytest.mark.parametrize(
    ("traits", "options", "said"),
    [
        (None, "", "open camera (the only one): there is none. No camera is plugged in: plug one in"),
        (
            None,
            ', device = "usb-x"',
            "open camera /dev/v4l/by-id/usb-x: it is not there. No camera is plugged in",
        ),
        (
            {"open_error": 13},
            ', device = "/dev/video0"',
            "permission denied. Let this user join the group video",
        ),
        ({"busy": 1}, "", "another program uses it. Stop that program"),
        (
            {},
            ", width = 800, height = 600",
            "it gives 640x480, not 800x600. It can do: YUYV 640x480, 320x240",
        ),
        ({"stop_after": 1}, ", silence_s = 0.5", " s. Unplug it and plug it in again, or raise silence_s"),
    ],
)
def test_a_check_names_what_is_wrong_with_a_camera_in_one_line_and_once(
    machine: Cameras, tmp_path: Path, traits: dict[str, Any] | None, options: str, said: str
) -> None:
    if traits is not None:
        machine.plug(**traits)
    began = time.monotonic()
    done = machine.run("check", "--config", written(tmp_path, options))
    assert done.returncode == 1  # it may be back by the next try
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr
    assert machine.log.count("start") <= 1  # the worker was not started again for it
    assert time.monotonic() - began < 20


def test_options_of_a_camera_are_refused_with_file_line_and_key(machine: Cameras, tmp_path: Path) -> None:
    done = machine.run("check", "--config", written(tmp_path, ", width = 8"))
    assert done.returncode == 78
    assert (
        "agent.toml:6: pipelines.0.source.width: Input should be greater than or equal to 16" in done.stderr
    )


def test_a_camera_that_is_not_there_is_tried_until_it_comes(machine: Cameras, tmp_path: Path) -> None:
    with agent(machine, tmp_path) as running:
        running.until(lambda pipeline: "it is not there" in (pipeline["problem"] or ""))
        assert running.pipeline()["state"] == "running"
        assert "it is not there" in running.log
        machine.plug()
        running.until_inferred(5)
        assert running.pipeline()["restarts"] == 0
        assert running.pipeline()["problem"] is None
        assert running.end() == 0


def test_a_camera_that_is_unplugged_comes_back_in_the_same_worker_and_every_frame_is_accounted_for(
    machine: Cameras, tmp_path: Path
) -> None:
    machine.plug()
    with agent(machine, tmp_path) as running:
        running.until_inferred(5)
        worker = running.worker
        machine.unplug()
        running.until(lambda _: "it was unplugged" in running.log)
        machine.plug()
        began = time.monotonic()
        running.until_inferred(5)
        assert time.monotonic() - began < 10  # under 3 s on a machine with nothing else to do
        running.ends_as_it_was(worker)


@pytest.mark.landlock
def test_a_node_that_is_new_is_opened_by_a_new_worker_since_the_old_one_may_not(
    machine: Cameras, tmp_path: Path
) -> None:
    machine.plug()
    running = agent(machine, tmp_path)
    running.program = machine.strict_program
    with running:
        running.until_inferred(5)
        worker = running.worker
        machine.unplug()
        running.until(lambda _: "it was unplugged" in running.log)
        machine.plug()
        found = running.until(lambda pipeline: pipeline["pid"] not in {None, worker} and pipeline["fps"] > 0)
        assert "it was plugged in after this process had confined itself. A new one opens it" in running.log
        assert (found["restarts"], found["balanced"]) == (1, True)
        assert running.end() == 0
        _, ledger = running.stored()
    assert balanced(ledger)


@pytest.mark.landlock
def test_a_camera_that_comes_back_under_another_number_is_found_by_its_usb_ids(
    machine: Cameras, tmp_path: Path
) -> None:
    machine.plug(0, usb=("046d", "0825", "A1"))
    running = RunningAgent(tmp_path, SOURCE.replace("/dev/video0", "usb:046d:0825:A1"))
    running.program, running.environment = machine.strict_program, machine.environment
    with running:
        running.until_inferred(5)
        worker = running.worker
        machine.unplug(0)
        running.until(lambda _: "it was unplugged" in running.log)
        machine.plug(2, usb=("046d", "0825", "A1"))
        began = time.monotonic()
        running.until(lambda _: "open video2" in machine.log)
        running.until_inferred(5)
        assert time.monotonic() - began < 10  # under 3 s on a machine with nothing else to do
        assert running.worker != worker
        assert (
            "open camera /dev/video2: it was plugged in after this process had confined itself" in running.log
        )
        assert running.end() == 0


def test_a_camera_that_stops_giving_frames_is_opened_again(machine: Cameras, tmp_path: Path) -> None:
    machine.plug(stop_after=8)
    with agent(machine, tmp_path) as running:
        running.until(lambda _: "no frame for 0." in running.log)
        running.until(lambda pipeline: pipeline["ledger"]["inferred"] > 10)
        assert running.end() == 0
    assert machine.log.count("start") >= 2


def test_damaged_frames_are_counted_as_failed_and_the_others_inferred(
    machine: Cameras, tmp_path: Path
) -> None:
    import cv2
    import numpy as np

    picture = tmp_path / "frame.jpg"
    cv2.imwrite(str(picture), np.full((240, 320, 3), 128, np.uint8))
    machine.plug(modes=("MJPG 320x240@100",), jpeg=picture, bad_every=3)
    with agent(machine, tmp_path) as running:
        found = running.until(lambda pipeline: pipeline["ledger"]["failed"].get("unreadable", 0) >= 5)
        assert found["ledger"]["inferred"] >= 5
        assert running.end() == 0
        _, ledger = running.stored()
    assert balanced(ledger)
    assert "frame.failed" in running.log


def test_the_doctor_names_the_cameras_and_warns_of_one_that_cannot_be_opened(machine: Cameras) -> None:
    def said() -> dict[str, str]:
        done = machine.run("doctor", "--json")
        [found] = [check for check in json.loads(done.stdout)["checks"] if check["check"] == "cameras"]
        return {"verdict": found["verdict"], "detail": found["detail"]}

    assert said() == {"verdict": "ok", "detail": "none; the other sources need none"}
    machine.plug(0, "Front")
    machine.name(0, "usb-Front-index0")
    machine.plug(1, "Back", open_error=13)
    told = "2 cameras: usb-Front-index0 (Front); /dev/video1 (Back: permission denied)"
    assert said() == {"verdict": "warn", "detail": told}
