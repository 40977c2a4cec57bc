"""Runs the agent's own commands as programs of their own, for whoever asked from afar."""

from __future__ import annotations

import os
import secrets
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import orjson

from agent.commands.seams import Answer
from agent.config.errors import ENV_PREFIX
from agent.errors import AgentError, DiskFull, MessageInvalid, StoreBusy
from agent.events import printable
from agent.files import advice
from agent.processes import memfd
from agent.processes.child import Child, ending
from agent.processes.watch import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.clock import Clock

MODULE = "agent.errands.main"
MOST_OUT, MOST_WORDS = 1 << 20, 16 << 10
"""Bytes that a program may print, and that it may say of errors."""
MOST_RESULT = 48 << 10
"""Bytes of JSON that go into an answer; what is larger goes beside it, as a file."""
MARGIN = 48 << 20
"""Room on the disk that is left for results, and for the file itself; an eighth of it where that is less."""
_MOST_KEYS = 48
_KILLED_S = 5.0
_LOOK_S = 0.5
_LONGEST = 400
_KEPT = ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CREDENTIALS_DIRECTORY", "HOME", "XDG_STATE_HOME", "PATH")


class Programs:
    """Starts them.

    Args:
        config: the configuration that the agent runs with.
        spool: where files that they write lie until they are sent.
        clock: where time comes from.
    """

    def __init__(self, config: Path, spool: Path, clock: Clock) -> None:
        self._config, self._spool, self._clock = config, spool, clock

    def run(self, *arguments: str, seconds: float, file: str = "") -> Running:
        """Run ``edge-agent ARGUMENTS --config CONFIG --json``, for so long at most.

        Args:
            arguments: the verb and what belongs to it; the list of processes shows them.
            seconds: after which it is killed.
            file: what a file is called that it is to write, at ``--out``; "" for none.

        Raises:
            AgentError: it cannot be started, or there is no place for its file.
        """
        path = place(self._spool, file) if file else None
        told = [*arguments, "--config", str(self._config), "--json"]
        told += ["--out", str(path)] if path else []
        return Running(told, self._spool, self._clock.monotonic() + seconds, seconds, path)


def place(spool: Path, name: str) -> Path:
    """Give where a new file may be written that is to be sent under this name.

    Raises:
        StoreBusy: the disk refuses.
        DiskFull: what is free is left for results.
    """
    try:
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        disk = os.statvfs(spool)
    except OSError as error:
        raise StoreBusy("make", str(spool), error.strerror or str(error), advice(error)) from error
    if disk.f_bavail * disk.f_frsize < min(MARGIN, disk.f_blocks * disk.f_frsize // 8):
        raise DiskFull("write", name, "what is free on the disk is left for results", "Free some space")
    return spool / f"{secrets.token_hex(8)}--{name}"


class Running:
    """A program that runs; a ``Work``.

    Args:
        arguments: all that it is told, its verb first.
        spool: where its answer goes where that is long.
        until: when it is killed, on the monotonic clock.
        seconds: the same, for people.
        path: the file that it writes; None for none.

    Raises:
        AgentError: this machine cannot start one now.
    """

    def __init__(
        self, arguments: list[str], spool: Path, until: float, seconds: float, path: Path | None
    ) -> None:
        self._verb, self._spool, self._path = arguments[0], spool, path
        self._until, self._seconds = until, seconds
        self._killed = False
        kept = {k: v for k, v in os.environ.items() if k in _KEPT or k.upper().startswith(ENV_PREFIX)}
        with ExitStack() as undo:
            try:
                self._out = _memory("edge-agent-out", MOST_OUT, undo)
                self._words = _memory("edge-agent-err", MOST_WORDS, undo)
                spec, also = orjson.dumps(arguments), (self._out, self._words)
                self._child = Child(MODULE, spec, also=also, environment=kept)
            except OSError as error:
                raise AgentError("start", f"edge-agent {self._verb}", error.strerror or str(error)) from error
            self._undo = undo.pop_all()
        self._undo.callback(self._child.close)

    def tick(self, now: float) -> Answer | None:
        """Give what it has said, once it has ended.

        Raises:
            AgentError: it has failed, or was killed for it took too long.
        """
        code = self._child.exit_code()
        if code is None:
            if now >= self._until + _KILLED_S:
                self.stop()
                raise self._late()
            if now >= self._until and not self._killed:
                self._killed = True
                self._child.signal(signal.SIGKILL)
            return None
        said, words = _read(self._out), _read(self._words).decode(errors="replace")
        self._undo.close()
        if self._killed or code:
            self._forget()
            raise self._late() if self._killed else self._failed(code, words)
        try:
            return self._answer(said)
        except AgentError:
            self._forget()
            raise

    def watched(self) -> Iterator[Watched]:
        """Give the process."""
        yield Watched(self._child, lambda: None, None)

    def next_tick(self, now: float) -> float:
        """Seconds until ``tick`` wants to be called, if it does not end before."""
        return min(max(0.0, self._until - now), _LOOK_S)

    def stop(self) -> None:
        """Kill it."""
        if self._child.pidfd >= 0:
            self._child.signal(signal.SIGKILL)
            self._child.see_off(patient=False)
            self._undo.close()
            self._forget()

    def _answer(self, said: bytes) -> Answer:
        try:
            result: Any = orjson.loads(said)
        except orjson.JSONDecodeError as error:
            raise MessageInvalid("read", f"what edge-agent {self._verb} says", f"no JSON: {error}") from error
        if not isinstance(result, dict):
            result = {"answer": result}
        files = (self._path,) if self._path else ()
        if len(said) > MOST_RESULT or len(result) > _MOST_KEYS:
            path = place(self._spool, f"{self._verb}.json")
            try:
                path.write_bytes(said)
            except OSError as error:
                raise StoreBusy("write", path.name, error.strerror or str(error), advice(error)) from error
            result, files = {"see": f"{self._verb}.json"}, (*files, path)
        return Answer(result, files)

    def _failed(self, code: int, words: str) -> AgentError:
        lines = [line for line in words.splitlines() if line.strip()]
        told = printable(lines[-1].removeprefix("edge-agent: "))[:_LONGEST] if lines else "it says nothing"
        return AgentError("run", f"edge-agent {self._verb}", f"{ending(code)}: {told}")

    def _late(self) -> AgentError:
        problem = f"it was not done after {self._seconds:g} s"
        return AgentError("run", f"edge-agent {self._verb}", problem, "Try again when the device is idle")

    def _forget(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _memory(name: str, size: int, undo: ExitStack) -> int:
    fd = memfd.create(name, size)
    undo.callback(os.close, fd)
    memfd.seal(fd, memfd.SIZED)
    return fd


def _read(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0).rstrip(b"\0")
