"""The real agent on a file system of 32 MB that fills up, or dies under it: the camera never notices."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from agent.blocks import STREAMS
from tests.simulators.field import until
from tests.simulators.namespaces import NAMESPACE, namespaces_needed
from tests.simulators.running_agent import PROGRAM, RunningAgent

if TYPE_CHECKING:
    from collections.abc import Iterator

FPS = 20
CAMERA = f'source = {{ kind = "synthetic", width = 160, height = 120, fps = {FPS} }}'
MOST = 6 << 20
"""The cap: less than what the folder holds at the start."""

# Mounts a file system, leaves 9 MB of metrics and 9 MB of results there, and becomes the agent.
SETUP = """
import os, random, subprocess, sys
from pathlib import Path
from agent.clock import SystemClock
from agent.store.outbox import Outbox

disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", disk], check=True)
(disk / "data").mkdir()
outbox = Outbox(disk / "data", clock=SystemClock())
for stream in ("metric", "result"):
    for n in range(900):
        outbox.put([{"n": n, "x": random.Random(n).randbytes(10_000).hex()}], {}, stream)
        if n % 50 == 49:
            outbox.flush()
outbox.close()
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
BEFORE = {"alert": 0, "result": 900, "metric": 900}


class AgentOnADisk(RunningAgent):
    """Its data folder is on a file system of its own, which the test can get at."""

    def __init__(self, folder: Path, disk: Path, more: str = "") -> None:
        super().__init__(folder, CAMERA)
        self.disk = disk
        text = self.config.read_text().replace(str(self.data), str(disk / "data"))
        text = text.replace("[store]\n", f"[store]\n{more}")
        self.config.write_text(f"shutdown_drain_s = 0.2\n{text}")
        self.data = disk / "data"

    def inside(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the shell, with $0 for the disk, where the agent sees it."""
        where = ["nsenter", "--target", str(self.process.pid), "--user", "--mount", "--preserve-credentials"]
        return subprocess.run(
            [*where, "sh", "-c", command, str(self.disk)], capture_output=True, text=True, check=False
        )

    def store(self) -> dict[str, Any]:
        found: dict[str, Any] = self.status()["store"]
        return found

    def until_mode(self, mode: str, timeout_s: float = 60.0) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        while (store := self.store())["mode"] != mode:
            assert time.monotonic() < deadline, store
            time.sleep(0.05)
        return store

    def keeps_up(self) -> bool:
        """Whether it infers all frames of two seconds; where others compute, not of the first two."""
        for _ in range(10):
            begun, before = time.monotonic(), self.pipeline()["ledger"]["inferred"]
            time.sleep(2)
            rate = (self.pipeline()["ledger"]["inferred"] - before) / (time.monotonic() - begun)
            if rate > 0.9 * FPS:
                return True
        return False


def still(store: dict[str, Any]) -> dict[str, int]:
    """Of each stream: the records that wait or are gone, and were there at the start or committed since."""
    return {
        name: one["backlog"] + one["evicted"] - one["committed"] for name, one in store["streams"].items()
    }


@pytest.fixture
def _namespaces(tmp_path: Path) -> None:
    namespaces_needed(tmp_path)


@pytest.mark.usefixtures("_namespaces")
def test_a_disk_that_fills_up_costs_no_frame_and_is_counted_to_the_row(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    agent = AgentOnADisk(tmp_path, disk, f"max_bytes = {MOST}\n")
    agent.program = [*NAMESPACE, sys.executable, "-c", SETUP, str(disk), *PROGRAM[1:]]
    with agent:
        agent.until_inferred()
        capped = agent.until_mode("disk")
        assert capped["streams"]["metric"]["evicted"] == 900  # all of them, before any result
        assert 0 < capped["streams"]["result"]["evicted"] < 900
        assert still(capped) == BEFORE
        used = int(agent.inside('du -sb --exclude=ballast "$0/data" | cut -f1').stdout)
        assert MOST * 0.8 < used < MOST + 64_000  # of which 4 KiB and more are the folders'
        assert agent.inside('stat -c %s "$0/data/ballast"').stdout == f"{4 << 20}\n"

        agent.inside('cat /dev/zero > "$0/stranger"')
        first = agent.until_mode("disk")
        give_up = time.monotonic() + 30
        # The stranger goes on, and takes what the agent gives up: of that the ballast is the first.
        while agent.inside('cat /dev/zero >> "$0/stranger"; test -e "$0/data/ballast"').returncode == 0 or (
            (full := agent.store())["mode"] != "memory"
        ):
            assert time.monotonic() < give_up, agent.store()
            time.sleep(0.1)
        assert "the disk is full" in full["problem"] or "I/O error" in full["problem"]
        assert agent.keeps_up()
        full = agent.store()
        assert full["accepted"] > full["committed"] >= first["committed"]
        assert still(full) == BEFORE

        agent.inside('rm "$0/stranger"')
        agent.until_mode("disk")
        assert agent.keeps_up()
        after = agent.store()
        assert after["problem"] == ""
        assert after["committed"] > full["accepted"]
        assert sum(one["lost"] for one in after["streams"].values()) == 0
        assert still(after) == BEFORE
        assert agent.inside('stat -c %s "$0/data/ballast"').stdout == f"{4 << 20}\n"
        assert agent.pipeline()["ledger"]["lost"] == 0
        assert agent.end() == 0


@pytest.mark.usefixtures("_namespaces")
def test_a_start_on_a_read_only_disk_is_no_crash_loop_even_where_the_socket_would_stand(
    tmp_path: Path,
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    agent = AgentOnADisk(tmp_path, disk)
    socket = tmp_path / "disk" / "data" / "agent.sock"
    text = agent.config.read_text()
    agent.config.write_text(text.replace(str(agent.control), str(socket)))
    mounted = 'mount -t tmpfs -o size=32m,ro tmpfs "$0" && exec "$@"'
    agent.program = [*NAMESPACE, "sh", "-c", mounted, str(disk), *PROGRAM]
    with agent:
        deadline = time.monotonic() + 60
        while "source.opened" not in agent.log:
            assert agent.process.poll() is None, agent.log
            assert time.monotonic() < deadline, agent.log
            time.sleep(0.05)
        assert "control.failed" in agent.log
        time.sleep(1)
        mended = agent.inside('mount -t tmpfs -o remount,rw tmpfs "$0"')  # else mount asks for root's options
        assert mended.returncode == 0, mended.stderr
        ask = f"import json, sys; from pathlib import Path; from agent.supervision.control import ask;\
 print(json.dumps(ask(Path({str(socket)!r}), {{'op': 'status'}})['store']['committed']))"
        while not (said := agent.inside(f'{sys.executable} -c "{ask}"')).stdout.strip().isdigit():
            assert time.monotonic() < deadline + 10, said.stderr
            time.sleep(0.2)
        assert int(said.stdout) > FPS  # those that waited, too
        assert agent.end() == 0


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Path]:
    """A mounted ext4 of 32 MB in a file."""
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists() or shutil.which("mkfs.ext4") is None:
        pytest.skip("needs root, loop devices and mkfs.ext4")
    disk, file = tmp_path / "disk", tmp_path / "image"
    disk.mkdir()
    with file.open("wb") as image:
        image.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", file], check=True)
    if subprocess.run(["mount", "-o", "loop,errors=remount-ro", file, disk], check=False).returncode != 0:
        pytest.skip("no loop device can be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def until_let_go(file: Path) -> None:
    """Wait until nothing has a file mounted: who has copied our mounts, as a namespace does, keeps them."""
    deadline = time.monotonic() + 60
    while subprocess.run(["losetup", "-j", file], capture_output=True, check=True).stdout:
        assert time.monotonic() < deadline, f"{file} is still mounted somewhere"
        time.sleep(0.05)


def test_an_ext4_that_turns_itself_read_only_costs_no_frame_and_nothing_that_was_committed(
    tmp_path: Path, image: Path
) -> None:
    agent = AgentOnADisk(tmp_path, image)
    with agent:
        agent.until_inferred()
        subprocess.run(["mount", "-o", "remount,abort", image], check=True)
        gone = agent.until_mode("memory")
        assert agent.keeps_up()
        assert agent.store()["accepted"] > gone["accepted"]
        assert agent.end() == 1  # not all could be saved
    again = AgentOnADisk(tmp_path, image)
    with again:  # the kernel lets nobody write there before it is mounted anew
        again.until_inferred()
        assert again.store()["mode"] == "memory"
        assert again.keeps_up()
        assert again.end() == 1
    subprocess.run(["umount", image], check=True)
    until_let_go(tmp_path / "image")
    subprocess.run(["fsck.ext4", "-fy", tmp_path / "image"], check=False, capture_output=True)
    subprocess.run(["mount", "-o", "loop", tmp_path / "image", image], check=True)
    last = AgentOnADisk(tmp_path, image)
    with last:
        last.until_inferred()
        store = last.until_mode("disk")
        assert store["backlog"] >= gone["committed"] > 0
        assert last.end() == 0
    assert set(store["streams"]) == set(STREAMS)


IMPATIENT = """
from agent.supervision import crew
from agent.supervision import supervisor
from agent.cli.main import main
crew._PENDING_HIGH, crew._PENDING_LOW = 40, 10
main()
"""


def test_while_the_disk_is_away_a_recording_waits_and_a_camera_does_not(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    cv2.imwrite(str(picture), np.zeros((32, 32, 3), np.uint8))
    tape = f'source = {{ kind = "images", paths = ["{picture}"], loop = true }}'
    agent = RunningAgent(tmp_path, CAMERA, f'[[pipelines]]\nname = "tape"\nmodel = "glyphs"\n{tape}\n')
    agent.program = [sys.executable, "-c", IMPATIENT]
    agent.data.mkdir()
    (agent.data / "segments").write_bytes(b"")  # no folder can be made there
    with agent:
        agent.until_inferred(20)  # of the 40 that may wait some are the camera's

        def inferred() -> list[int]:
            return [one["ledger"]["inferred"] for one in agent.status()["pipelines"]]

        def waits() -> bool:
            """Whether the recording stood still while twenty pictures of the camera were inferred."""
            tape, camera = inferred()
            until(lambda: inferred()[1] >= camera + 20, "the camera goes on")
            return inferred()[0] == tape

        until(waits, "the recording waits")
        after = agent.status()["pipelines"]
        assert (after[0]["name"], after[1]["name"]) == ("tape", "door")
        assert set(after[1]["ledger"]["dropped"]) <= {"overwritten"}  # that is where others compute, too
        (agent.data / "segments").unlink()
        agent.until(lambda pipeline: pipeline["ledger"]["inferred"] > after[0]["ledger"]["inferred"] + 100)
        assert agent.status()["store"]["mode"] == "disk"
        assert agent.end() == 0
