"""The main job on real input: a video file, MobileNet v2, a real broker, a real collector."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import cv2
import pytest

from agent.demo.broker import Broker
from agent.errors import AgentError
from agent.fleet.keys import make_keys
from agent.supervision.control import ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PICTURES = ("cat.bmp", "grace_hopper.bmp", "squat.bmp", "kite_and_cold.jpg")
EACH = 40
FRAMES = EACH * len(PICTURES)


@pytest.fixture
def video(shared: Path, tmp_path: Path) -> Path:
    path = tmp_path / "pictures.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (640, 480))
    for name in PICTURES:
        picture = cv2.imread(str(shared / "models" / "media" / name))
        assert picture is not None
        for _ in range(EACH):
            writer.write(cv2.resize(picture, (640, 480)))
    writer.release()
    return path


@contextmanager
def collector(folder: Path, port: int) -> Iterator[Path]:
    database = folder / "fleet.db"
    where = ["--host", "127.0.0.1", "--port", str(port), "--fleet", "test"]
    make_keys(folder / "keys", ["gate"])
    where += ["--keys", str(folder / "keys")]
    program = [sys.executable, "-m", "agent.fleet.main", "collect", *where]
    process = subprocess.Popen([*program, "--to", f"sqlite:///{database}", "--json"], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "ready"
        yield database
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


def config(folder: Path, port: int, model: Path, video: Path) -> Path:
    path = folder / "agent.toml"
    path.write_text(
        f"""
        [device]
        id = "gate"
        [mqtt]
        host = "127.0.0.1"
        port = {port}
        fleet = "test"
        [trust]
        device_key = "keys/devices/gate.key"
        collector_key = "keys/collector.pub"
        [store]
        path = "{folder}/data"
        [[pipelines]]
        name = "door"
        model = "{model}"
        task = "classification"
        decoder = {{ top_k = 1 }}
        source = {{ kind = "video", path = "{video}" }}
        """
    )
    return path


def agent(path: Path) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "agent.cli.main", "run", "--config", str(path), "--exit-when-ended"]
    return subprocess.Popen(program, stderr=subprocess.PIPE)


def rows(database: Path) -> list[tuple[int, dict[str, object]]]:
    with closing(sqlite3.connect(database)) as db:
        query = "SELECT frame, body FROM results WHERE frame IS NOT NULL ORDER BY frame"
        return [(frame, json.loads(body)) for frame, body in db.execute(query)]


def ledger(database: Path) -> dict[str, object]:
    with closing(sqlite3.connect(database)) as db:
        ((counts,),) = db.execute("SELECT counts FROM ledgers").fetchall()
    found: dict[str, object] = json.loads(counts)
    return found


@pytest.mark.mosquitto
@pytest.mark.shared
@pytest.mark.parametrize("kill", [False, True], ids=["undisturbed", "worker killed"])
def test_every_frame_of_a_video_is_inferred_once_and_stored_once(
    *, shared: Path, tmp_path: Path, video: Path, kill: bool
) -> None:
    broker = Broker(tmp_path / "broker", kind="mosquitto")
    broker.start()
    try:
        with collector(tmp_path, broker.port) as database:
            model = shared / "models" / "mobilenet_v2_1.0_224_quant.tflite"
            process = agent(config(tmp_path, broker.port, model, video))
            if kill:
                kill_worker(tmp_path / "data" / "agent.sock")
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors.decode()
            assert (b"lane.died" in errors) == kill
    finally:
        broker.stop()
    found = rows(database)
    assert [frame for frame, _ in found] == list(range(FRAMES))
    accounts = ledger(database)
    assert accounts["captured"] == accounts["inferred"] == FRAMES
    assert accounts["lost"] == accounts["in_flight"] == 0
    labels = [body["items"][0]["label"] for _, body in found]  # type: ignore[index]
    assert all("cat" in label for label in labels[:EACH])
    assert all("military uniform" in label for label in labels[EACH : 2 * EACH])


def kill_worker(socket: Path) -> None:
    """Kill the worker when it has begun and is far from the end."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        try:
            pipeline = ask(socket, {"op": "status"})["pipelines"][0]
        except AgentError:
            pipeline = None  # it has not begun to listen
        if pipeline and pipeline["pid"] and pipeline["ledger"]["captured"]:
            os.kill(pipeline["pid"], signal.SIGKILL)
            return
        time.sleep(0.005)
    pytest.fail("the worker did not begin")
