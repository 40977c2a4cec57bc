"""The agent as a process: it is asked, killed and stopped, and its accounts are read afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from tests.simulators.running_agent import CAMERA, PROGRAM, RunningAgent, alive, balanced, until_gone

if TYPE_CHECKING:
    from pathlib import Path

HASTE = "[deadlines]\ncapture_s = 2.0\ninvoke_s = 2.0\n"
FRAMES = 2000


def results(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if record["kind"] != "ledger"]


def is_back(restarts: int, pipeline: dict[str, Any]) -> bool:
    return bool(pipeline["restarts"] == restarts and pipeline["state"] == "running")


def edge_agent(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "frames.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (320, 240))
    for number in range(FRAMES):
        writer.write(np.full((240, 320, 3), number % 256, np.uint8))
    writer.release()
    return path


def test_an_agent_answers_keeps_its_folder_to_itself_and_commits_all_at_the_end(tmp_path: Path) -> None:
    with RunningAgent(tmp_path) as agent:
        agent.until_inferred(20)
        asked = edge_agent("status", "--config", agent.config, "--json")
        status = json.loads(asked.stdout)
        [pipeline] = status["pipelines"]
        assert asked.returncode == 0
        assert (pipeline["name"], pipeline["state"], pipeline["restarts"]) == ("door", "running", 0)
        assert pipeline["model"].startswith("glyphs@")
        assert pipeline["balanced"]
        assert pipeline["fps"] > 1
        assert 0 < pipeline["infer_p50_ms"] <= pipeline["infer_p99_ms"]
        last = pipeline["last"]
        assert (last["kind"], last["more"]) == ("classification", 0)
        assert 0 <= last["age_s"] < 10
        assert {"label", "index", "score"} <= last["items"][0].keys()
        assert status["link"] == {"state": "none"}
        assert status["store"]["path"] == str(agent.data)

        told = edge_agent("status", "--config", agent.config)
        assert told.returncode == 0
        assert "door" in told.stdout
        assert "running" in told.stdout
        assert re.search(r"[a-z]+ [01]\.\d\d.*\(\d+\.\d s ago\)", told.stdout)

        second = edge_agent("run", "--config", agent.config)
        assert second.returncode == 1
        assert f"another agent holds it (pid {agent.process.pid})" in second.stderr
        assert len(second.stderr.splitlines()) == 1

        before = agent.pipeline()["ledger"]
        assert agent.end() == 0
    records, ledger = agent.stored()
    assert balanced(ledger)
    assert (ledger["in_flight"], ledger["lost"]) == (0, 0)
    assert ledger["inferred"] == len(results(records)) >= before["inferred"]
    assert not agent.control.exists()
    gone = edge_agent("status", "--config", agent.config)
    assert (gone.returncode, len(gone.stderr.splitlines())) == (1, 1)
    assert "Start it with: edge-agent run" in gone.stderr


def test_a_killed_worker_is_back_within_two_seconds_and_what_it_took_is_counted(tmp_path: Path) -> None:
    took = []
    with RunningAgent(tmp_path) as agent:
        for restarts in (1, 2):
            agent.until_inferred()
            began = time.monotonic()
            os.kill(agent.worker, signal.SIGKILL)
            status = agent.until(partial(is_back, restarts))
            agent.until_inferred(1)
            took.append(time.monotonic() - began)
            assert balanced(status["ledger"])
        assert agent.end() == 0
    records, ledger = agent.stored()
    assert min(took) < 2  # the machine may be busy once
    assert balanced(ledger)
    assert ledger["in_flight"] == 0
    assert ledger["inferred"] == len(results(records))
    frames = [record["frame"] for record in results(records)]
    assert frames == sorted(set(frames))
    assert ledger["captured"] > max(frames)
    assert agent.log.count("lane.died door problem=ended by SIGKILL") == 2


def test_a_hung_worker_is_noticed_killed_and_replaced(tmp_path: Path) -> None:
    with RunningAgent(tmp_path, more=HASTE) as agent:
        agent.until_inferred()
        hung = agent.worker
        os.kill(hung, signal.SIGSTOP)  # it holds every lock that it has, and SIGTERM does not reach it
        status = agent.until(partial(is_back, 1))
        assert not alive(hung)
        assert balanced(status["ledger"])
        agent.until_inferred()
        assert agent.status()["events"]["lane.hung"] == 1
        assert agent.end() == 0
    assert "lane.hung door" in agent.log
    assert balanced(agent.stored()[1])


def test_a_hung_worker_does_not_keep_the_agent_from_stopping(tmp_path: Path) -> None:
    with RunningAgent(tmp_path) as agent:
        agent.until_inferred()
        os.kill(agent.worker, signal.SIGSTOP)
        agent.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert agent.end() == 0  # asked twice: at once
        assert until_gone(agent.worker)
    records, ledger = agent.stored()
    assert balanced(ledger)
    assert ledger["inferred"] == len(results(records))


@pytest.mark.parametrize("hung", [False, True], ids=["working", "hung"])
def test_no_worker_survives_its_supervisor_and_what_was_committed_does(tmp_path: Path, hung: bool) -> None:
    with RunningAgent(tmp_path) as agent:
        agent.until_inferred(30)
        if hung:
            os.kill(agent.worker, signal.SIGSTOP)
        agent.until(lambda _: agent.status()["store"]["streams"]["result"]["committed"] >= 25)
        assert agent.end(signal.SIGKILL) == -signal.SIGKILL
        assert until_gone(agent.worker)
    first, ledger = agent.stored()
    assert len(results(first)) >= 20
    assert balanced(ledger)
    with RunningAgent(tmp_path) as agent:
        agent.until_inferred()
        assert agent.status()["store"]["backlog"] >= len(first)
        assert agent.end() == 0
    both, _ = agent.stored()
    assert both[: len(first)] == first
    assert len(both) > len(first)


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGSEGV, None])
def test_every_frame_of_a_video_is_inferred_exactly_once(
    tmp_path: Path, video: Path, kill: signal.Signals | None
) -> None:
    source = f'source = {{ kind = "video", path = "{video}" }}'
    with RunningAgent(tmp_path, source, "", "--exit-when-ended") as agent:
        if kill:
            agent.until(lambda p: p["ledger"]["inferred"] > 50)
            os.kill(agent.worker, kill)
        assert agent.process.wait(60) == 0
    records, ledger = agent.stored()
    assert ("lane.died" in agent.log) == bool(kill)
    assert [record["frame"] for record in results(records)] == list(range(FRAMES))
    assert ledger == {**ledger, "captured": FRAMES, "inferred": FRAMES, "lost": 0, "in_flight": 0}


def test_pipelines_fail_alone(tmp_path: Path) -> None:
    other = '[[pipelines]]\nname = "gate"\nmodel = "no.tflite"\n' + CAMERA
    with RunningAgent(tmp_path, f"{CAMERA}\n{other}") as agent:
        agent.until_inferred()
        agent.until(lambda _: agent.status()["pipelines"][1]["state"] == "fatal")
        assert "there is no such file" in agent.status()["pipelines"][1]["problem"]
        asked = edge_agent("status", "--config", agent.config)
        assert asked.returncode == 1
        assert agent.end() == 0
    assert agent.log.count("lane.refused gate") == 1
