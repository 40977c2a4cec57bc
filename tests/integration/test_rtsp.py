"""The agent as a program before a camera that streams over RTSP, vanishes, freezes and returns."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.simulators.rtsp_camera import RtspCamera
from tests.simulators.running_agent import PROGRAM, RunningAgent

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.rtsp


@pytest.fixture
def camera() -> Iterator[RtspCamera]:
    with RtspCamera("h264", "--login", "yard:hunter2") as camera:
        yield camera


def source(camera: RtspCamera, folder: Path, login: str = "yard:hunter2") -> str:
    (folder / "login").write_text(f"{login}\n")
    return (
        f'source = {{ kind = "rtsp", url = "{camera.url()}", login = "{folder / "login"}", silence_s = 1 }}'
    )


def test_a_camera_that_vanishes_or_freezes_comes_back_in_the_same_worker_and_every_frame_is_accounted_for(
    camera: RtspCamera, tmp_path: Path
) -> None:
    with RunningAgent(tmp_path, source(camera, tmp_path)) as running:
        running.until_inferred(5)
        worker = running.worker
        for fault, cure in ((camera.switch_off, camera.switch_on), (camera.freeze, camera.thaw)):
            fault()
            began = time.monotonic()
            running.until(lambda pipeline: pipeline["problem"] is not None)
            assert time.monotonic() - began < 5
            cure()
            began = time.monotonic()
            running.until_inferred(5)
            assert time.monotonic() - began < 10  # under 3 s on a machine with nothing else to do
        running.ends_as_it_was(worker)
    assert running.log.index("source.opened") < running.log.index("source.lost")
    assert "hunter2" not in running.log


def test_a_check_names_a_wrong_password_in_one_line_without_it(camera: RtspCamera, tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(
        f'[store]\npath = "data"\n[[pipelines]]\nname = "door"\nmodel = "glyphs"\n'
        f"{source(camera, tmp_path, 'yard:sesame')}\n"
    )
    command = [*PROGRAM, "check", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "it refuses this name and password (401). Put user:password into a file" in done.stderr
    assert "sesame" not in done.stderr + done.stdout


def test_a_password_in_the_url_stands_neither_in_a_process_list_nor_in_log_or_status(tmp_path: Path) -> None:
    with RtspCamera("mjpeg", "--login", "yard:hunter2") as camera:
        url = camera.url(login="yard:hunter2")
        with RunningAgent(tmp_path, f'source = {{ kind = "rtsp", url = "{url}" }}') as running:
            running.until_inferred(3)
            said = json.dumps(running.status()) + running.log
            for pid in (running.process.pid, running.worker):
                said += Path(f"/proc/{pid}/cmdline").read_text() + Path(f"/proc/{pid}/environ").read_text()
            camera.switch_off()
            running.until(lambda _: "source.lost" in running.log)
            said += running.log + json.dumps(running.status())
            assert running.end() == 0
    assert f"rtsp://127.0.0.1:{camera.port}/cam" in said
    assert "hunter2" not in said
