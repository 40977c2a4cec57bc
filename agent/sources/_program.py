"""Another program whose output is read: never waited for longer than asked, and ended with the source."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from agent.errors import ExtraMissing, SourceLost
from agent.launcher.starting import Resident

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PIECE = 1 << 16
_MAX_LINE = 200
_MAX_LINES = 100
_LAST_WORDS = 8
"""Lines among which one is looked for that says why it ended: a list of what there is may come after it."""
_MOST_PIECES = 16
"""Of what it complains, at a time: it may complain faster than that is read."""
_ENDS_S = 0.5
"""What a program has, after its output has ended or it was asked to end, before it is killed."""


class Running(Protocol):
    """A program that was started: the ends of its pipes, which are the caller's, and its end."""

    @property
    def stdout(self) -> int:
        """The descriptor that its output is read from."""

    @property
    def stderr(self) -> int:
        """The descriptor that its complaints are read from."""

    def finish(self, patience_s: float) -> int:
        """Wait so long for its end, then end it and what it has started. Idempotent.

        Returns:
            Its exit code, negative for a signal.
        """


class Launched:
    """Implements ``Running``: a child in a session of its own, which dies with the thread that starts it.

    Args:
        path: of the program.
        arguments: what it is given.

    Raises:
        OSError: this machine cannot start one now.
    """

    def __init__(self, path: str, arguments: Sequence[str]) -> None:
        command = [sys.executable, "-I", "-m", "agent.sources._leash", str(os.getpid()), path, *arguments]
        with ExitStack() as undo, ExitStack() as handed_over:
            ends = []
            for _ in range(2):
                ours, theirs = os.pipe2(os.O_CLOEXEC)
                undo.callback(os.close, ours)
                handed_over.callback(os.close, theirs)
                ends.append((ours, theirs))
            (self.stdout, out), (self.stderr, err) = ends
            said = {**os.environ, "LC_ALL": "C"}  # so that what it says can be told apart
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=said, start_new_session=True
            )
            undo.pop_all()

    def finish(self, patience_s: float) -> int:
        """Wait so long for its end, then end its group: SIGTERM, and SIGKILL half a second later."""
        if self._process.returncode is None:
            if not self._has_ended(patience_s):
                os.killpg(self._process.pid, signal.SIGTERM)
                self._has_ended(_ENDS_S)
            os.killpg(self._process.pid, signal.SIGKILL)  # not yet reaped, so the number is still its own
        return self._process.wait()

    def _has_ended(self, patience_s: float) -> bool:
        pidfd = os.pidfd_open(self._process.pid)
        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            return bool(poll.poll(patience_s * 1000))
        finally:
            os.close(pidfd)


class Program:
    """Runs a program and reads what it puts out; implements what ``Fifo`` does, for those that take either.

    Args:
        argv: its name, which is looked up in PATH, or its path; and what it is given.
        op: what it is for, as errors call it: "read microphone".
        subject: what it reads.
        install: how it is installed, for the hint where it is missing.
        hints: the next thing to do, by what one of its last complaints holds, in lower case; "" for others.
        start: how it is started, given its path and arguments; None: by this worker's launcher, if any.

    Raises:
        ExtraMissing: it is not installed.
        SourceLost: this machine cannot start it now.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        op: str,
        subject: str,
        install: str,
        hints: Mapping[str, str],
        start: Callable[[str, Sequence[str]], Running] | None = None,
    ) -> None:
        self._op, self._subject, self._hints = op, subject, hints
        self._name = os.path.basename(argv[0])  # noqa: PTH119 - a name, no file
        path = shutil.which(argv[0])
        if path is None:
            raise ExtraMissing(op, subject, f"there is no program {argv[0]}", install)
        try:
            start = start or (Resident.launcher.start if Resident.launcher else Launched)
            self._running = start(path, argv[1:])
        except OSError as error:
            problem = f"{self._name} cannot be started: {(error.strerror or str(error)).lower()}"
            raise SourceLost(
                op, subject, problem, "Free memory, or see which processes are too many"
            ) from error
        self._closed = False
        self._stderr_ended = False
        self._rest = b""
        self._said: deque[str] = deque(maxlen=_MAX_LINES)
        self._last: deque[str] = deque(maxlen=_LAST_WORDS)
        for one in (self._running.stdout, self._running.stderr):
            os.set_blocking(one, False)

    def wait(self, deadline: float) -> bool:
        """Wait until there is something to read, or its output has ended; False when neither in time.

        Args:
            deadline: CLOCK_MONOTONIC, seconds.
        """
        while True:
            poll = select.poll()
            poll.register(self._running.stdout, select.POLLIN)
            if not self._stderr_ended:
                poll.register(self._running.stderr, select.POLLIN)
            ready = dict(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
            if self._running.stderr in ready:
                self._listen()
            if self._running.stdout in ready:
                return True
            if time.monotonic() >= deadline:
                return False

    def read(self) -> bytes:
        """Give what is there, 64 KiB at most; b"" when there is nothing.

        Raises:
            SourceLost: the program has ended; with what it said last, and what to do about that.
        """
        try:
            data = os.read(self._running.stdout, _PIECE)
        except BlockingIOError:
            return b""
        self._check(len(data))
        return data

    def read_into(self, view: memoryview) -> int:
        """Read into ``view``, and give how many bytes that were; 0 when there are none.

        Raises:
            SourceLost: as ``read``.
        """
        try:
            count = os.readv(self._running.stdout, [view])
        except BlockingIOError:
            return 0
        self._check(count)
        return count

    def said(self) -> list[str]:
        """Give the lines that it wrote to stderr since the last call: the newest 100, cut to 200 bytes."""
        if not self._closed:
            self._listen()
        lines = list(self._said)
        self._said.clear()
        return lines

    def lost(self, problem: str) -> SourceLost:
        """Give the error that says ``problem``, with what to do about it."""
        told = problem.lower()
        hint = next(
            (hint for key, hint in self._hints.items() if key and key in told), self._hints.get("", "")
        )
        return SourceLost(self._op, self._subject, problem, hint)

    def close(self) -> None:
        """End it, and what it has started. Idempotent."""
        if not self._closed:
            self._closed = True
            self._running.finish(0)
            os.close(self._running.stdout)
            os.close(self._running.stderr)

    def _check(self, count: int) -> None:
        if count:
            return
        code = self._running.finish(_ENDS_S)
        self._listen()
        ending = f"exit code {code}" if code >= 0 else f"ended by signal {-code}"
        telling = (
            one for one in reversed(self._last) if any(key and key in one.lower() for key in self._hints)
        )
        last = next(telling, self._last[-1] if self._last else "it has ended")
        told = last.removeprefix(f"{self._name}: ")
        raise self.lost(f"{self._name}: {told} ({ending})")

    def _listen(self) -> None:
        """Take what it complains of, so that it never waits for somebody to read that."""
        for _ in range(_MOST_PIECES):
            if self._stderr_ended:
                return
            try:
                data = os.read(self._running.stderr, _PIECE)
            except BlockingIOError:
                return
            self._stderr_ended = not data
            *lines, rest = (self._rest + (data or b"\n")).split(b"\n")
            self._rest = rest[:_MAX_LINE]
            for line in lines:
                if told := " ".join(line[:_MAX_LINE].decode(errors="replace").split()):
                    self._said.append(told)
                    self._last.append(told)
