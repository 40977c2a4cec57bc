"""Cameras on the network, and what comes out of named pipes: a process beside serves both."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from agent.sources import http_snapshot
from tests.simulators import plugging
from tests.simulators.examples.example import Example

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_running: list[str] = []


@contextmanager
def alongside() -> Iterator[None]:
    """Run a camera on the loopback, in a process of its own."""
    command = [sys.executable, "-m", "tests.simulators.web_camera"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        _running.append(f"http://127.0.0.1:{server.stdout.readline().strip()}")
        try:
            yield
        finally:
            _running.clear()
            server.communicate()  # a camera that is not needed any more sees its stdin end


def address() -> str:
    """Give the camera's address; ``alongside`` is running."""
    return _running[-1]


@contextmanager
def written_pipe(folder: Path) -> Iterator[dict[str, Any]]:
    """Two named pipes that the camera's process writes into."""
    for pace in ("fast", "slow"):
        path = folder / pace
        os.mkfifo(path)
        options = http_snapshot.Options(url=f"{address()}/{pace}?{path}")
        with closing(http_snapshot.build(options, start=0)) as camera:
            camera.read(10)
    yield {"path": str(folder / "fast")}


def _slow(place: str) -> str:
    return place.removesuffix("fast") + "slow"


EXAMPLES = {
    "http_mjpeg": Example(
        "pictures",
        lambda _: {"url": f"{address()}/fast"},
        lambda given: {"url": _slow(given["url"])},
        endless=True,
        plug=plugging.network("/fast"),
    ),
    "http_snapshot": Example(
        "pictures",
        lambda _: {"url": f"{address()}/shot", "interval_s": 0.05},
        lambda _: {"interval_s": 0.25},
        endless=True,
        plug=plugging.network("/shot"),
    ),
    "pipe": Example(
        "pictures",
        lambda folder: {"path": str(folder / "none"), "format": "GREY", "width": 64, "height": 48},
        lambda given: {"path": _slow(given["path"])},
        endless=True,
        beside=written_pipe,
        plug=plugging.pipe,
    ),
}
