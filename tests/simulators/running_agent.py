"""The real ``edge-agent run``, as a process, and what it leaves in its data folder."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from agent.blocks import unpack
from agent.errors import AgentError
from agent.store.segment import Segment
from agent.supervision.control import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROGRAM = [sys.executable, "-m", "agent.cli.main"]
_numbers = itertools.count()
CAMERA = 'source = { kind = "synthetic", width = 160, height = 120, fps = 50 }'


def balanced(ledger: dict[str, Any]) -> bool:
    """Say whether each captured frame stands in the ledger with what became of it."""
    ends = sum(sum(ledger[account].values()) for account in ("filtered", "dropped", "failed"))
    settled = ledger["inferred"] + ledger["gated"] + ledger["lost"] + ends
    return bool(ledger["captured"] == settled + ledger["in_flight"])


class RunningAgent:
    """An agent on one pipeline, named "door", with a bundled model; a context manager that leaves nothing.

    Args:
        folder: where its configuration is written; its data goes into "data" there.
        pipeline: further lines of the pipeline's table.
        more: further tables.
        options: of the command line.
        model: the pipeline's.

    Attributes:
        worker: the worker's pid, as of the last status; 0 when there is none.
    """

    program = PROGRAM
    environment: Mapping[str, str] | None = None
    """Its own environment, where it is not to be that of the tests."""

    def __init__(
        self, folder: Path, pipeline: str = CAMERA, more: str = "", *options: str, model: str = "glyphs"
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.config = folder / "agent.toml"
        # A socket's path has 107 bytes at most.
        control = f"/tmp/edge-agent-test-{os.getpid()}-{next(_numbers)}.sock"
        self.config.write_text(
            f'[store]\npath = "{self.data}"\ncommit_interval_s = 0.1\n[control]\npath = "{control}"\n{more}\n'
            f'[[pipelines]]\nname = "door"\nmodel = "{model}"\n{pipeline}\n'
        )
        self.control = folder.parent / control
        self.worker = 0
        self._options = options
        self._log = (folder / "log").open("a+")

    def __enter__(self) -> Self:
        command = [*self.program, "run", "--config", str(self.config), *self._options]
        self.process = subprocess.Popen(command, stderr=self._log, env=self.environment)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._log.close()
        self.control.unlink(missing_ok=True)

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return (self.folder / "log").read_text()

    def status(self) -> dict[str, Any]:
        """Ask it; raises AgentError while it does not listen."""
        status = ask(self.control, {"op": "status"})
        self.worker = status["pipelines"][0]["pid"] or 0
        return status

    def pipeline(self) -> dict[str, Any]:
        """The pipeline's part of the status."""
        found: dict[str, Any] = self.status()["pipelines"][0]
        return found

    def until(self, condition: Callable[[dict[str, Any]], bool], timeout_s: float = 60.0) -> dict[str, Any]:
        """Wait for a status of the pipeline that fits; give it."""
        deadline = time.monotonic() + timeout_s
        found: object = None
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.log}"
            try:
                if condition(status := self.pipeline()):
                    return status
                found = status
            except AgentError as error:
                found = error
            time.sleep(0.01)
        raise AssertionError(f"it never came so far; last: {found}\n{self.log}")

    def until_inferred(self, more: int = 10) -> dict[str, Any]:
        """Wait until it has inferred ``more`` frames than at the first answer; give the pipeline's status."""
        at_first = self.until(lambda _: True)["ledger"]["inferred"]
        return self.until(lambda pipeline: pipeline["ledger"]["inferred"] >= at_first + more)

    def ends_as_it_was(self, worker: int) -> None:
        """End it well: this worker was never replaced, and each frame of its was settled, none twice."""
        pipeline = self.pipeline()
        assert (self.worker, pipeline["restarts"]) == (worker, 0)
        assert pipeline["balanced"]
        assert self.end() == 0
        records, ledger = self.stored()
        frames = [record["frame"] for record in records if record["kind"] == "classification"]
        assert frames == sorted(set(frames))
        assert balanced(ledger)

    def end(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 60.0) -> int:
        """Send a signal and wait for the end; give the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def stored(self, pipeline: str = "door") -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Give all records of a pipeline, oldest first, and the ledger as of the last."""
        records: list[dict[str, Any]] = []
        ledger: dict[str, Any] = {}
        for path in sorted((self.data / "segments").glob("*.db"), key=lambda path: path.stat().st_mtime_ns):
            with closing(Segment.create(path)) as segment:
                for block in segment.read(1, 1 << 30):
                    found, ledgers, _ = unpack(block)
                    records += [
                        record
                        for record in found
                        if record.get("pipeline") == pipeline and record["kind"] != "metrics"
                    ]
                    ledger = ledgers.get(pipeline, ledger)
        return records, ledger


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def until_gone(pid: int, timeout_s: float = 30.0) -> bool:
    """Wait for a process to end; say whether it did."""
    deadline = time.monotonic() + timeout_s
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)
