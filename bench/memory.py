"""The memory of the agent's processes, against the loop that people write, and against what was promised.

    python -m bench.memory [--models DIR] [--rounds N] [--quick] [--json]

Ours is ``edge-agent run`` on drawn frames of 640x480 at 10 frames a second, with a MobileNet v2 in each
pipeline; each pipeline is a process of its own. The other side is one process that does the same without
promises: it imports LiteRT, OpenCV and paho, and converts, resizes, infers and publishes in a loop
(``bench.plain_memory``). Idle is an agent whose only camera is not plugged in. Counted is the proportional
share of memory (PSS, proc(5)) as if nothing else ran on the machine: all that processes have of their own,
and the pages of files that they have mapped, once for all of them. MB are of 2^20 bytes.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from agent.accelerator.spec import AcceleratorSpec
from agent.boards.accelerators import Accelerator
from agent.errors import AgentError
from agent.processes.child import Child
from agent.supervision.control import ask
from agent.workers.heartbeat import Page
from bench.figures import Figure, report
from tests.simulators.resident import children, together_mb

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODEL = "mobilenet_v2_1.0_224_quant.tflite"
_PROMISED_MB = 95.0
_SETTLED_S = 6.0
_PATIENCE_S = 60.0
_LIMITS = {
    "one pipeline": 1.5,
    "idle": 1.25,
    "four pipelines": 3.5,
    "supervisor": 0.6,
    "supervisor with a broker": 0.7,
    "worker": 1.0,
    "capture process": 0.8,
    "accelerator process": 0.9,
    "updater": 0.7,
}
"""What each may have of the memory of one plain loop."""
_PIPELINE = """
[[pipelines]]
name = "camera{number}"
model = "{model}"
task = "classification"
source = {source}
"""
_CAMERA = '{ kind = "synthetic", width = 640, height = 480, fps = 10 }'
_SHARED = '\n[[sources]]\nname = "yard"\nkind = "synthetic"\nwidth = 640\nheight = 480\nfps = 10\n'
_AWAY = '{ kind = "camera", device = "/dev/video-none" }'
_BROKER = '\n[mqtt]\nhost = "127.0.0.1"\nport = 1\n[trust]\nunsigned = true\n'


@contextmanager
def agent(tables: str, pipelines: int, source: str, model: Path) -> Iterator[dict[int, str]]:
    """Run an agent until its start is over; give its processes by their ids."""
    with TemporaryDirectory(prefix="edge-agent-bench-") as place:
        folder = Path(place)
        text = f'[store]\npath = "{folder}/data"\n[control]\npath = "{folder}/sock"\n{tables}'
        each = [_PIPELINE.format(number=n, model=model, source=source) for n in range(pipelines)]
        (folder / "agent.toml").write_text(text + "".join(each))
        command = [sys.executable, "-m", "agent.cli.main", "run", "--config", str(folder / "agent.toml")]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
            try:
                _settle(folder / "sock", frames=source != _AWAY)
                yield {running.pid: "supervisor", **children(running.pid)}
            finally:
                running.terminate()


def _settle(control: Path, *, frames: bool) -> None:
    """Wait until each pipeline has had frames for a while, or its camera has been looked for in vain."""
    give_up = time.monotonic() + _PATIENCE_S
    while time.monotonic() < give_up:
        try:
            found = [one["ledger"]["inferred"] for one in ask(control, {"op": "status"})["pipelines"]]
        except AgentError:
            found = []
        if found and (min(found) >= _SETTLED_S * 10 or not frames):
            break
        time.sleep(0.1)
    if not frames:
        time.sleep(_SETTLED_S)


def of(processes: dict[int, str], name: str = "") -> float:
    """Give the share of those processes that have this name, or of all."""
    return together_mb(pid for pid, one in processes.items() if not name or one.endswith(name))


def plain(model: Path) -> float:
    """Give the share of the loop that people write."""
    command = [sys.executable, "-m", "bench.plain_memory", str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        try:
            return together_mb([running.pid])
        finally:
            running.kill()


def accelerator() -> float:
    """Give the share of an accelerator's process whose accelerator is the CPU, without a model."""
    page = Page.create()
    spec = AcceleratorSpec(accelerator=Accelerator(kind="xnnpack"))
    child = Child("agent.accelerator.main", spec.model_dump_json().encode(), also=(page.fd,))
    try:
        while child.channel.receive() is None:
            time.sleep(0.01)
        return together_mb([child.pid])
    finally:
        child.see_off(patient=False)
        page.close()


def updater() -> float:
    """Give the share of an updater that waits for its broker to answer."""
    with socket.create_server(("127.0.0.1", 0)) as broker, TemporaryDirectory() as folder:
        settings = {"host": "127.0.0.1", "port": broker.getsockname()[1], "client_id": "bench"}
        spec = {"fleet": "f", "device": "d", "broker": settings, "folder": folder, "root": "{}"}
        child = Child("agent.updater.main", json.dumps(spec).encode())
        try:
            broker.settimeout(_PATIENCE_S)
            broker.accept()
            time.sleep(0.5)
            return together_mb([child.pid])
        finally:
            child.see_off(patient=False)


def measure(model: Path) -> dict[str, float]:
    """Measure everything once."""
    found = {}
    with agent("", 1, _AWAY, model) as processes:
        found["idle"] = of(processes)
    with agent("", 1, _CAMERA, model) as processes:
        found["one pipeline"] = of(processes)
        found["supervisor"] = of(processes, "supervisor")
        found["worker"] = of(processes, "workers.main")
    with agent("", 4, _CAMERA, model) as processes:
        found["four pipelines"] = of(processes)
    with agent(_BROKER + _SHARED, 2, '"yard"', model) as processes:
        found["supervisor with a broker"] = of(processes, "supervisor")
        found["capture process"] = of(processes, "capture.main")
    return found | {"accelerator process": accelerator(), "updater": updater()}


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path(__file__).parents[2] / "shared" / "models")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="1 round: a look, no proof")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    model = given.models / _MODEL
    rounds = 1 if given.quick else given.rounds
    ours, others = [], []
    for _ in range(rounds):
        ours.append(measure(model))
        others.append(plain(model))
    loop = tuple(others)
    promised = (_PROMISED_MB,) * rounds

    figures = [
        Figure(
            "one pipeline, against what is promised", "MB", _each(ours, "one pipeline"), promised, 1.0, "less"
        )
    ]
    figures += [Figure(name, "MB", _each(ours, name), loop, most, "less") for name, most in _LIMITS.items()]
    return report(figures, as_json=given.json)


def _each(rounds: list[dict[str, float]], name: str) -> tuple[float, ...]:
    return tuple(one[name] for one in rounds)


if __name__ == "__main__":
    sys.exit(main())
