"""Everything that can go wrong with a device while a model comes, at each state of its life.

A device whose model "one" is active is to run "two". In one state after the other the process that matters
then crashes, raises, hangs, and the device is cut off. What serves is read off the records that it has
stored.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.documents.desired import Probation
from agent.supervision.control import ask
from tests.simulators import moody_backend
from tests.simulators.operator import QUICK, Operator, moody_program, settle
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from agent.documents.reported import Standing

STATES = ("downloading", "verified", "proving", "swap", "probation", "active", "previous")
FAULTS = ("crash", "exception", "hang")
REBOOT = "reboot"
LONG = Probation(frames=20, seconds=600, failed=0.1, slower=100.0)
ONE, TWO = "one@1", "two@1"
VALUES = {ONE: 1.0, TWO: 2.0}
STRIKES = 3

PIPELINE = """backend = { kind = "moody" }
source = { kind = "synthetic", width = 64, height = 64, fps = 50 }
[deadlines]
load_s = 2.0
invoke_s = 1.5
open_s = 1.5
capture_s = 1.5"""
SPOILT = """
import os, time
from pathlib import Path
from agent.updater import bundle
install = bundle.install

def spoilt(*arguments):
    while Path(__file__).with_name("hold").exists():
        if Path(__file__).with_name(f"run-{os.getpid()}").exists():
            raise KeyError("a bug of the updater")
        time.sleep(0.01)
    return install(*arguments)

bundle.install = spoilt
"""
PRELUDE = "'$module' == 'agent.updater.main' and __import__('spoilt'); "
UPDATER, WORKER = "agent.updater.main", "agent.workers.main"


@dataclass(frozen=True, slots=True)
class Mishap:
    """One of them.

    Attributes:
        state: where the new model stood.
        fault: what happened.
        serves: the model that served right after.
        said: where the device said that the new one stood then, and why.
        at: when, seconds of the monotonic clock.
    """

    state: str
    fault: str
    serves: str
    said: str
    at: float


class Misfortune:
    """A device and its operator; a context manager that leaves nothing.

    Args:
        folder: of both.
        port: the broker's.
        swap: how the device changes models.
        retry_s: how long it waits after a first strike.
        two: how the new model behaves.
    """

    def __init__(
        self, folder: Path, port: int, *, swap: str = "resident", retry_s: float = 0.3, **two: Any
    ) -> None:
        self._folder, self._resident = folder, swap == "resident"
        self.operator = Operator(folder, port)
        self.operator.add("two", **{"value": 2, "live_load_s": 0.0, **two})
        self.operator.publish()
        self._program = moody_program(folder, PRELUDE, retry_s=retry_s, swap=swap)
        (folder / "plugins" / "spoilt.py").write_text(SPOILT)
        settle(folder / "data", active=1)
        self.mishaps: list[Mishap] = []

    def __enter__(self) -> Self:
        self.operator.__enter__()
        self._start()
        self.device.until_inferred()
        self._await(lambda: self._models()["metadata"]["root"] and not self._children(UPDATER))
        return self

    def __exit__(self, *_: object) -> None:
        self.device.__exit__()
        self.operator.__exit__()

    def _start(self) -> None:
        self.device = RunningAgent(self._folder, PIPELINE, self.operator.tables(), model="")
        self.device.config.write_text("shutdown_drain_s = 0.0\n" + self.device.config.read_text())
        self.device.program = self._program
        self.device.__enter__()

    def deploy(self, probation: Probation = QUICK) -> None:
        """Want "two"."""
        self.operator.deploy(probation, door="two")

    def told(self) -> dict[str, Any]:
        """What the device says of its pipeline."""
        found: dict[str, Any] = self._models()["pipelines"]["door"]
        return found

    def _models(self) -> dict[str, Any]:
        return ask(self.device.control, {"op": "models"})

    def serving(self, model: str, *not_by: int) -> int:
        """Wait until this model serves, in none of these processes; give the worker's pid."""
        found = self.device.until(
            lambda one: one["state"] == "running" and one["model"] == model and one["pid"] not in not_by
        )
        pid: int = found["pid"]
        return pid

    @property
    def hold(self) -> Path:
        """While this file is there, updaters go no further than to the model's files."""
        return self._folder / "plugins" / "hold"

    def child(self, module: str, *but: int) -> int:
        """Wait for a child of the agent that runs this program and has confined itself; give its pid."""
        pid: int = self._await(lambda: next(iter(self._children(module) - set(but)), 0))
        self._await(lambda: "NoNewPrivs:\t1" in _read(pid, "status"))
        return pid

    def loading(self) -> int:
        """Wait until a worker is loading "two"; give its pid."""
        old = self.serving(ONE)

        def found() -> int | None:
            pipeline = self.device.pipeline()
            pid: int = pipeline["pid"] or 0
            if self.told()["state"] != "probation":
                return None
            if self._resident:
                return pid if pipeline["state"] == "running" and pipeline["model"] == ONE else None
            return pid if pid != old and pipeline["state"] == "starting" else None

        loads: int = self._await(found)
        return loads

    def _children(self, module: str) -> set[int]:
        pid = self.device.process.pid
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return {one for one in map(int, text.split()) if f"run_module('{module}'" in _read(one, "cmdline")}

    def _await(self, find: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 60
        while not (found := find()):
            assert time.monotonic() < deadline, f"it never came: {self.told()}\n{self.device.log}"
            time.sleep(0.005)
        return found

    def order(self, pid: int, fault: str, when: str = "run") -> None:
        """Have a process that loads or runs a model misbehave."""
        how = {"exception": "bug"}.get(fault, fault)
        moody_backend.order(self._folder / "plugins", pid, how, when)

    def stop_or(self, pid: int, fault: str) -> None:
        """Have one that may hang anywhere misbehave."""
        if fault == "hang":
            os.kill(pid, signal.SIGSTOP)
        else:
            self.order(pid, fault)

    def reboot(self) -> None:
        """Cut the device off, and start it again."""
        self.device.end(signal.SIGKILL)
        self.device.__exit__()
        self._start()

    def note(self, state: str, fault: str, model: str, at: float, why: Callable[[Standing], bool]) -> int:
        """Wait until the device says what has happened and serves this model; give the worker's pid."""
        pid = self.serving(model)
        since = int(time.time() - (time.monotonic() - at))  # what was said before does not count

        def fits(one: Standing) -> bool:
            new = self.operator.reports[-1].at >= since
            return new and one.serving is not None and f"{one.serving.name}@1" == model and why(one)

        standing = self.operator.until(fits)
        problem = self.operator.reports[-1].metadata.problem if standing.state == "downloading" else ""
        said = f"{standing.state}: {standing.reason or problem}".rstrip(": ")
        self.mishaps.append(Mishap(state, fault, model, said, at))
        return pid

    def says(self, why: str) -> bool:
        """Whether the newest report says this of fetching."""
        return why in self.operator.reports[-1].metadata.problem

    def gaps(self) -> list[float]:
        """After the end: give the longest time without a frame after each mishap, seconds.

        What each record says of its model is true, and there are no other models.
        """
        records = [one for one in self.device.stored()[0] if one["kind"] == "tensor"]
        assert {(one["model"], one["items"][0]["mean"]) for one in records} <= set(VALUES.items())
        times = sorted(one["captured_ns"] / 1e9 for one in records)
        ends = [mishap.at for mishap in self.mishaps[1:]] + [times[-1]]
        found = []
        for mishap, end in zip(self.mishaps, ends, strict=True):
            span = [mishap.at, *(one for one in times if mishap.at < one < end), end]
            found.append(max(after - before for before, after in itertools.pairwise(span)))
        return found


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
