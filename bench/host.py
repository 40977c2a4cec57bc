"""An inference in an accelerator process against the same one in the worker: what the way there costs.

    python -m bench.host [--models DIR] [--rounds N] [--quick] [--json]

Both run the model on the CPU with the same kernels, so that the difference is the way: into shared memory, a
packet there and back, out of it. They take turns by blocks of inferences, and each value is the median of
a block. The way is what an inference takes less what the runtime took over there, set against half a
millisecond, or 5 % of the inference where that is more; the wrapper that every pipeline has, which asks
before each frame whether an accelerator was lent, is set against the model without it.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agent import resources
from agent.accelerator.client import Connection
from agent.accelerator.remote import RemoteBackend
from agent.accelerator.spec import AcceleratorSpec
from agent.accelerator.twin import AcceleratedBackend
from agent.backends import tflite
from agent.boards.accelerators import Accelerator, Limits
from agent.processes.child import Child
from agent.workers.heartbeat import Page
from bench.figures import Figure, report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.types import Backend

_MODELS = ("mobilenet_v1_0.25_128_quant", "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29")
_US = 1e6
_LIMIT_US = 500.0


@contextmanager
def process() -> Iterator[Child]:
    """Run an accelerator process whose accelerator is the CPU."""
    page = Page.create()
    spec = AcceleratorSpec(accelerator=Accelerator(kind="xnnpack"))
    child = Child("agent.accelerator.main", spec.model_dump_json().encode(), also=(page.fd,))
    try:
        while (packet := child.channel.receive()) is None:
            time.sleep(0.01)
        if json.loads(packet)["type"] != "opened":
            sys.exit(packet.decode())
        yield child
    finally:
        child.channel.send(b'{"type":"stop"}')
        while child.exit_code() is None:
            time.sleep(0.01)
        child.close()
        page.close()


def connect(child: Child) -> Connection:
    """Give a connection to it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        child.channel.send_with(b'{"type":"connect","pipeline":"bench"}', [ours.fileno()])
    connection = Connection(theirs.detach(), "cpu")
    connection.hello(10)
    return connection


def block(backend: Backend, count: int) -> tuple[float, float]:
    """Give the medians of so many inferences, and of the way to where they are made, microseconds."""
    tensors = [np.zeros(one.shape, one.dtype) for one in backend.inputs]
    times, ways = [], []
    for _ in range(count):
        began = time.perf_counter()
        backend.infer(tensors)
        times.append((time.perf_counter() - began) * _US)
        ways.append(times[-1] - backend.connection.took_us if isinstance(backend, RemoteBackend) else 0)
    return statistics.median(times), statistics.median(ways)


def measure(child: Child, name: str, path: Path, rounds: int) -> list[Figure]:
    """Measure one model."""
    model = path.read_bytes()
    connection = connect(child)
    here = tflite.build(tflite.Options(), model, name)
    there = RemoteBackend(connection, model, name, Limits())
    wrapped = AcceleratedBackend(tflite.build(tflite.Options(), model, name))
    count = max(20, min(500, int(0.3 * _US / block(here, 10)[0])))
    sides = (here, there, wrapped)
    for side in sides:
        block(side, count)
    found: list[list[tuple[float, float]]] = [[], [], []]
    for number in range(rounds):
        for at in (0, 1, 2) if number % 2 else (2, 1, 0):
            found[at].append(block(sides[at], count))
    connection.close()
    for side in (here, wrapped):
        side.close()
    plain, host, twin = (tuple(time for time, _ in one) for one in found)
    way = tuple(way for _, way in found[1])
    limits = tuple(max(_LIMIT_US, 0.05 * one) for one in plain)
    short = name[:24]
    _say(f"{short}: {statistics.median(plain):.0f} us here, {statistics.median(host):.0f} us there")
    return [
        Figure(f"{short}: the way, against its limit", "us", way, limits, 1.0, "less"),
        Figure(f"{short}: none lent, against none", "us", twin, plain, 1.05, "less"),
    ]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path(__file__).parents[2] / "shared" / "models")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="3 rounds: a look, no proof")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    models = {"glyphs": resources.bundled_models()["glyphs"] / "glyphs.tflite"}
    models |= {name: path for name in _MODELS if (path := given.models / f"{name}.tflite").exists()}
    with process() as child:
        figures = [
            figure
            for name, path in models.items()
            for figure in measure(child, name, path, 3 if given.quick else given.rounds)
        ]
    return report(figures, as_json=given.json)


if __name__ == "__main__":
    sys.exit(main())
