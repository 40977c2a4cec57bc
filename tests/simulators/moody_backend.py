"""A backend whose models say how they behave, as an installed distribution that real workers find.

A model's file ends with JSON: ``value`` is what it answers, and ``load`` or ``run`` may be "crash", "hang",
"fail" or "bug": that happens when it is loaded, or on the first frame after its warm-up. ``seconds``
is how long an inference takes, ``proof_s`` how long in a proof where that is not the same, and
``live_load_s`` how long it takes to load where it is to serve. A process that loads or runs one does the
same when it is told to, by ``order``.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from agent.errors import BackendFault
from agent.types import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array


METADATA = "Metadata-Version: 2.1\nName: moody\nVersion: 1\n"
ENTRY_POINTS = "[edge_agent.backends]\nmoody = moody_backend\n"
MARK = b"MOOD"


class Options(BaseModel):
    """What every backend is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threads: int = 1


class MoodyBackend:
    """Answers ``value`` to any picture of ``side`` x ``side``."""

    runtime, delegate, delegated = "moody", "cpu", (0, 1)

    def __init__(self, model: dict[str, Any]) -> None:
        self._model = model
        self._runs = 0
        side = model.get("side", 8)
        self.inputs = (TensorSpec("x", "float32", (1, side, side, 3)),)
        self.outputs = (TensorSpec("y", "float32", (1, 1)),)

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        self._runs += 1
        if self._runs > 1:
            _behave(self._model.get("run", ""))
        _obey("run")
        seconds = self._model.get("seconds", 0.0)
        time.sleep(self._model.get("proof_s", seconds) if _proves() else seconds)
        assert tensors[0].shape == self.inputs[0].shape
        return (np.full((1, 1), self._model["value"], np.float32),)

    def close(self) -> None: ...


def build(options: Options, model: bytes, name: str = "model") -> MoodyBackend:
    del options, name
    body = json.loads(model.rpartition(MARK)[2])
    _behave(body.get("load", ""))
    until = time.monotonic() + (0.0 if _proves() else body.get("live_load_s", 0.0))
    while time.monotonic() < until:
        _obey("load")
        time.sleep(0.01)
    return MoodyBackend(body)


def _behave(how: str) -> None:
    """Misbehave, or ("hold 30") keep every other thread waiting for so many milliseconds."""
    if how == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif how == "hang":
        time.sleep(3600)
    elif how == "fail":
        raise BackendFault("run model", "moody", "it is in a mood")
    elif how.startswith("hold"):
        ctypes.PyDLL(None).usleep(int(how.split()[1]) * 1000)
    elif how == "bug":
        raise KeyError("a bug of the backend")


def _proves() -> bool:
    """Whether this process proves a model, and serves nobody."""
    return "agent.workers.program.proving" in sys.modules


def _obey(when: str) -> None:
    path = Path(__file__).with_name(f"{when}-{os.getpid()}")
    if path.exists():
        _behave(path.read_text())


def order(folder: Path, pid: int, how: str, when: str = "run") -> None:
    """Have a process misbehave where it loads or runs; ``folder`` is where this was ``installed``."""
    path = folder / f"{when}-{pid}"
    path.with_suffix(".new").write_text(how)
    path.with_suffix(".new").rename(path)


def installed(folder: Path, prelude: str = "") -> str:
    """Install it for the workers that are started with the Python whose path is given.

    Args:
        folder: to be made.
        prelude: Python that each program runs first, on one line.
    """
    from tests.simulators.plugin_installing import install  # only here: what is installed has no tests

    return install(folder, __file__, METADATA, ENTRY_POINTS, prelude)
