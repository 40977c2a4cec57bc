"""Two pipelines on one source, which is opened once: what befalls one part costs the others little."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from agent.errors import AgentError
from tests.simulators import fake_rpicam
from tests.simulators.running_agent import RunningAgent, until_gone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CAMERA = 'kind = "synthetic"\nwidth = 160\nheight = 120\nfps = 50\n'
GATE = '[[pipelines]]\nname = "gate"\nmodel = "glyphs"\nsource = "yard"\n'


class Two(RunningAgent):
    """An agent with the pipelines "gate" and "door" on the source "yard"."""

    def __init__(
        self, folder: Path, source: str = CAMERA, *options: str, gate: str = "", door: str = ""
    ) -> None:
        more = f'[[sources]]\nname = "yard"\n{source}\n{GATE}{gate}\n'
        super().__init__(folder, f'source = "yard"\n{door}', more, *options)

    def both(self, condition: Callable[[dict[str, Any]], bool], timeout_s: float = 60.0) -> dict[str, Any]:
        """Wait until both pipelines are so; give the whole status."""
        deadline = time.monotonic() + timeout_s
        status: dict[str, Any] = {}
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log
            try:
                status = self.status()
            except AgentError:
                continue
            if all(condition(one) for one in status["pipelines"]):
                return status
            time.sleep(0.02)
        raise AssertionError(f"it never came so far: {status}\n{self.log}")

    def inferring(self, more: int = 10) -> dict[str, Any]:
        """Wait until both have inferred so many more frames."""
        before = {one["name"]: one["ledger"]["inferred"] for one in self.both(lambda _: True)["pipelines"]}
        return self.both(lambda one: one["ledger"]["inferred"] >= before[one["name"]] + more)

    def reader(self) -> int:
        """Give the pid of the process that reads the source."""
        [source] = self.status()["sources"]
        return int(source["pid"] or 0)


def balanced(status: dict[str, Any]) -> bool:
    return all(one["balanced"] for one in status["pipelines"])


def test_two_pipelines_share_a_camera_each_at_its_rate_and_no_frame_is_unaccounted_for(
    tmp_path: Path,
) -> None:
    with Two(tmp_path, gate="max_rate = 5\n") as agent:
        status = agent.inferring(20)
        [source] = status["sources"]
        assert (source["name"], source["kind"], source["state"]) == ("yard", "synthetic", "open")
        assert source["pipelines"] == ["gate", "door"]
        gate, door = status["pipelines"]
        assert balanced(status)
        assert gate["ledger"]["gated"] > 2 * gate["ledger"]["inferred"]
        assert door["ledger"]["gated"] == 0
        assert door["confined"]["landlock"] == gate["confined"]["landlock"]
        reader = source["pid"]
        assert agent.end() == 0
        assert until_gone(reader)
    for name in ("gate", "door"):
        assert f"source.opened {name} source=yard" in agent.log


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_reader_that_dies_or_stands_still_is_told_once_by_each_pipeline_and_replaced(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Two(tmp_path) as agent:
        workers = [one["pid"] for one in agent.inferring()["pipelines"]]
        reader = agent.reader()
        os.kill(reader, number)
        began = time.monotonic()
        agent.both(lambda one: one["problem"] is not None or agent.reader() != reader)
        # At once, or by the silence; under 1 and 6 s on a machine with nothing else to do.
        assert time.monotonic() - began < (4 if number == signal.SIGKILL else 12)
        assert until_gone(reader)
        gone = time.monotonic()
        status = agent.inferring(1)
        assert time.monotonic() - gone < 10  # under 3 s on a machine with nothing else to do
        assert balanced(status)
        assert [one["pid"] for one in status["pipelines"]] == workers
        [source] = status["sources"]
        assert (source["restarts"], source["state"]) == (1, "open")
        assert status["events"]["source.lost"] == 2
        assert status["events"]["capture.died"] == 1
    for name in ("gate", "door"):
        assert f"source.lost {name} problem=read source yard: " in agent.log


def test_a_worker_that_dies_leaves_the_other_its_frames_and_comes_back(tmp_path: Path) -> None:
    with Two(tmp_path) as agent:
        gate, door = agent.inferring()["pipelines"]
        reader = agent.reader()
        os.kill(gate["pid"], signal.SIGKILL)
        agent.both(lambda one: one["name"] == "door" or one["restarts"] == 1)
        status = agent.inferring()
        assert balanced(status)
        again = {one["name"]: one for one in status["pipelines"]}
        assert again["door"]["pid"] == door["pid"]
        assert again["gate"]["pid"] != gate["pid"]
        assert agent.reader() == reader
        assert "source.lost" not in status["events"]


def images(folder: Path, count: int) -> str:
    folder.mkdir()
    noise = np.random.default_rng(1)
    for number in range(count):
        picture = noise.integers(0, 255, (32 + number % 3, 40, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number:03}.png"), picture)
    return f'kind = "images"\npaths = ["{folder}"]\n'


def test_both_pipelines_get_every_frame_of_a_recording_and_the_agent_ends_with_it(tmp_path: Path) -> None:
    source = images(tmp_path / "shots", 60)
    (tmp_path / "shots" / "030.png").write_bytes(b"no picture")
    with Two(tmp_path, source, "--exit-when-ended", gate="max_rate = 100\n") as agent:
        assert agent.process.wait(30) == 0, agent.log
    for name in ("gate", "door"):
        records, ledger = agent.stored(name)
        frames = [one["frame"] for one in records if one["kind"] not in {"event", "ledger"}]
        assert frames == list(range(60))
        assert (ledger["captured"], ledger["inferred"], ledger["failed"]) == (60, 59, {"unreadable": 1})
        assert (ledger["dropped"], ledger["lost"]) == ({}, 0)


def test_a_recording_waits_for_a_worker_that_is_started_again_and_what_it_cannot_have_again_is_counted(
    tmp_path: Path,
) -> None:
    source = images(tmp_path / "shots", 150)
    with Two(tmp_path, source, "--exit-when-ended", gate="max_rate = 50\n") as agent:
        gate, _ = agent.both(lambda one: one["ledger"]["inferred"] >= 10)["pipelines"]
        os.kill(gate["pid"], signal.SIGKILL)
        assert agent.process.wait(30) == 0, agent.log
    _, door = agent.stored("door")
    assert (door["captured"], door["inferred"], door["dropped"]) == (150, 150, {})
    _, one = agent.stored("gate")
    dropped, lost = sum(one["dropped"].values()), one["lost"]
    assert one["captured"] == 150 == one["inferred"] + dropped + lost
    assert dropped + lost < 12


def test_a_source_that_nobody_feeds_is_told_once_by_each_and_read_within_3_s_when_somebody_does(
    tmp_path: Path,
) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    source = f'kind = "pipe"\npath = "{fifo}"\nformat = "BGR3"\nwidth = 32\nheight = 32\nsilence_s = 0.5\n'
    with Two(tmp_path, source) as agent:
        agent.both(lambda one: one["problem"] is not None)
        time.sleep(1.5)  # it is tried again, several times
        status = agent.status()
        assert {one["state"] for one in status["pipelines"]} == {"running"}
        assert status["events"]["source.lost"] == 2
        [one] = status["sources"]
        assert (one["state"], one["pipelines"]) == ("away", ["gate", "door"])
        assert str(fifo) in one["problem"]
        began = time.monotonic()
        with fifo.open("wb") as pipe:
            while any(one["ledger"]["inferred"] == 0 for one in agent.status()["pipelines"]):
                pipe.write(bytes(32 * 32 * 3))
                pipe.flush()
                time.sleep(0.02)
                assert time.monotonic() - began < 3
            assert agent.status()["sources"][0]["state"] == "open"


def test_a_wrong_option_of_a_shared_source_is_told_with_its_line_and_ends_the_agent(tmp_path: Path) -> None:
    with Two(tmp_path, CAMERA.replace("50", "-1")) as agent:
        assert agent.process.wait(20) == 78
    line = f"{agent.config}:11: sources.0.fps: Input should be greater than or equal to 0"
    for name in ("gate", "door"):
        assert f"lane.refused {name} problem={line}" in agent.log
    assert "capture.died" not in agent.log


@pytest.mark.landlock
def test_two_pipelines_share_a_program_that_their_sources_launcher_starts(tmp_path: Path) -> None:
    program = fake_rpicam.install(tmp_path / "bin")
    camera = f'kind = "rpicam"\nprogram = "{program}"\nwidth = 64\nheight = 64\nfps = 50\n'
    with Two(tmp_path, camera) as agent:
        status = agent.inferring(10)
        assert balanced(status)
        assert agent.end() == 0
