"""The operator's whole way: keys, a bundle, its publication, a device that is told to run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from agent import resources
from tests.simulators.puppet_device import puppet, standing

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker

pytestmark = pytest.mark.mosquitto
RECIPE = """\
name = "glyphs"
version = "2.0.0"
license = "Apache-2.0"
task = "classification"
labels = "glyphs/labels.txt"
[[golden]]
input = "glyphs/golden/0.npy"
"""


def edgectl(folder: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "agent.fleet.main", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "EDGECTL_PASSPHRASE": "four words of old"},
    )
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    return done.stdout + done.stderr


def test_a_model_is_packed_published_deployed_and_seen_to_serve(broker: Broker, tmp_path: Path) -> None:
    where = ["--port", str(broker.port), "--fleet", "demo"]
    shutil.copytree(resources.bundled_models()["glyphs"], tmp_path / "glyphs")
    (tmp_path / "m.toml").write_text(RECIPE)
    edgectl(tmp_path, "init", "keys", "--device", "gate-1", "--fleet", "demo")
    packed = json.loads(edgectl(tmp_path, "pack", "glyphs/glyphs.tflite", "--json"))
    words = ["deploy", "gate-1", "glyphs@2.0.0", "--pipeline", "door", *where]
    told = edgectl(tmp_path, *words, code=78)
    assert told == "edgectl: deploy glyphs@2.0.0: it is not published. Nothing is: edgectl publish BUNDLE\n"
    edgectl(tmp_path, "publish", packed["folder"], *where)
    with puppet(broker.port, "gate-1", tmp_path / "keys") as device:
        edgectl(tmp_path, *words)
        wish = device.wish()
        assert str(wish.models["door"]) == "glyphs@2.0.0"
        device.report(wish.generation, door=standing(wish, "door", "active"))
        seen = json.loads(edgectl(tmp_path, "models", "gate-1", "--json", *where))
    door = seen["devices"]["gate-1"]["reported"]["pipelines"]["door"]
    assert (door["state"], door["serving"]["version"]) == ("active", "2.0.0")
    edgectl(tmp_path, "rotate", "fleet", *where)  # a new control key: devices are told, and believe the next
    assert json.loads(edgectl(tmp_path, *words, "--json"))["generation"] == 2
