"""The demo on a terminal: a pseudo-terminal, its keys, its sizes, and what is left of it."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.demo.pipelines import PIPELINES

if TYPE_CHECKING:
    from collections.abc import Iterator

ONE, TWO = (one.name for one in PIPELINES)
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
ACCOUNT = "every result arrived exactly once"
# In a session of its own, with the pseudo-terminal as the terminal that signals come from.
START = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""

DEMO = "import sys; sys.argv = ['edge-agent', 'demo']; from agent.cli.main import main; sys.exit(main())"


class Terminal:
    """A demo on a pseudo-terminal, and all that it has written."""

    def __init__(self, columns: int, rows: int, term: str = "xterm-256color", *arguments: str) -> None:
        self.master, slave = os.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.master)
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        environment |= {
            "COLUMNS": str(columns),
            "LINES": str(rows),
        }  # exported by some shells, and then stale
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, *(arguments or ("-m", "agent.cli.main", "demo"))],
            stdin=slave, stdout=slave, stderr=slave, env={**environment, "TERM": term},
        )  # fmt: skip
        os.close(slave)
        self.written = ""

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def press(self, key: bytes) -> None:
        os.write(self.master, key)

    def until(self, text: str, timeout_s: float = 40.0) -> str:
        """Wait until ``text`` is written, colours aside; give what was written meanwhile, with them."""
        deadline = time.monotonic() + timeout_s
        seen = ""
        while time.monotonic() < deadline:
            if text in plain(seen):
                return seen
            seen += self._read()
        raise AssertionError(f"{text!r} never came; last: {plain(seen)[-3000:]}")

    def _read(self) -> str:
        if not select.select([self.master], [], [], 0.2)[0]:
            return ""
        try:
            part = os.read(self.master, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            return ""
        self.written += part
        return part

    def end(self, timeout_s: float = 30.0) -> int:
        """Read on until it ends; give its exit code."""
        deadline = time.monotonic() + timeout_s
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read()
        self._read()
        return self.process.wait(1)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


def plain(text: str) -> str:
    """Take away what colours the text and moves the cursor."""
    return re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", text)


@pytest.fixture
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    made = Terminal(*getattr(request, "param", (80, 24)))
    yield made
    made.close()


def test_keys_break_and_mend_what_the_page_shows_and_nothing_is_left_of_it(terminal: Terminal) -> None:
    terminal.until("quit and count")
    terminal.press(b"b")
    terminal.until("bring the broker back")
    terminal.press(b"k")
    page = terminal.until(f"kill the {TWO} worker")
    assert "\x1b[1;32mrunning" in page or "\x1b[33mstarting" in page or "backoff" in page
    terminal.until(f"killed the worker of {ONE}")
    terminal.resize(60, 10)
    terminal.until("broker cut | ")
    terminal.resize(120, 40)
    terminal.until("delegate")
    terminal.press(b"b")
    terminal.until("brought the broker back")
    assert LEAVE not in terminal.written
    terminal.press(b"q")
    terminal.until(ACCOUNT)
    assert terminal.end() == 0
    after = terminal.written.partition(LEAVE)[2]
    assert "\x1b" not in after.replace("\x1b[?25h", "")
    assert "stopping: letting everything arrive" in after
    assert terminal.written.count(ENTER) == terminal.written.count(LEAVE) == 1
    assert terminal.written.rindex("\x1b[?25h") > terminal.written.rindex("\x1b[?25l")
    assert termios.tcgetattr(terminal.master) == terminal.before


def test_a_better_model_comes_to_serve_and_a_tampered_one_does_not_while_the_page_goes_on(
    terminal: Terminal,
) -> None:
    terminal.until("quit and count")
    assert "shapes@0.9.0 on " in terminal.until("as configured; the operator wants no other")
    terminal.press(b"x")
    terminal.until("the operator signs it, and the broker keeps it")
    terminal.press(b"m")
    terminal.until("one thing at a time")
    terminal.until("shapes@1.0.1 refused: not the bytes that were signed", 60)
    terminal.until("shapes@1.0.1: not taken: fetch shapes.tflite: chunks 0 came damaged")
    terminal.press(b"m")
    terminal.until("shapes@1.0.0 serves: proved", 60)
    terminal.until("shapes@1.0.0 on ")
    terminal.press(b"m")
    terminal.until("shapes@1.0.0 serves already")
    terminal.press(b"x")
    terminal.until("shapes@1.0.2: the operator")
    terminal.press(b"b")
    terminal.until("the broker was cut in the middle of it")
    terminal.press(b"x")
    terminal.until("the broker is cut: bring it back first")
    terminal.press(b"q")
    account = plain(terminal.until(ACCOUNT))
    assert "shapes@0.9.0, then shapes@1.0.0: 0 frames lost in the swap" in account
    assert "tampered   refused; the device says: fetch shapes.tflite: chunks 0 came damaged" in account
    assert terminal.end() == 0


def test_an_interrupt_ends_it_with_the_account(terminal: Terminal) -> None:
    terminal.until("quit and count")
    terminal.press(b"\x03")
    terminal.until(ACCOUNT)
    assert terminal.end() == 0
    assert LEAVE in terminal.written
    assert "Traceback" not in terminal.written


def test_a_closed_terminal_ends_it_and_all_that_it_started(tmp_path: Path) -> None:
    complaints = tmp_path / "stderr"
    program = f"import os; os.dup2(os.open({str(complaints)!r}, os.O_WRONLY | os.O_CREAT), 2);{DEMO}"
    terminal = Terminal(80, 24, "xterm", "-c", program)
    terminal.until("quit and count")
    pid = terminal.process.pid
    children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    assert len(children) == 3
    os.close(terminal.master)
    terminal.master = -1
    assert terminal.process.wait(40) == 1
    told = complaints.read_text()
    assert told == "edge-agent: show demo: the terminal is gone. Start it again, in a terminal that stays\n"
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


@pytest.mark.parametrize("terminal", [(60, 10), (80, 24, "dumb")], indirect=True, ids=["small", "dumb"])
def test_a_small_or_dumb_terminal_gets_one_line(terminal: Terminal) -> None:
    terminal.until("[q] quit")
    terminal.press(b"k")
    terminal.until(f"killed the worker of {ONE}")
    terminal.press(b"q")
    terminal.until(ACCOUNT)
    assert terminal.end() == 0
    assert ENTER not in terminal.written
    assert f"{ONE} " in terminal.written


def test_without_rich_it_shows_one_line() -> None:
    hidden = (
        "import importlib.util as u, sys; real = u.find_spec;"
        "u.find_spec = lambda name, *more: None if name == 'rich' else real(name, *more);"
        "sys.argv = ['edge-agent', 'demo', '--seconds', '5'];"
        "from agent.cli.main import main; sys.exit(main())"
    )
    terminal = Terminal(80, 24, "xterm", "-c", hidden)
    try:
        terminal.until("[q] quit")
        terminal.until(ACCOUNT)
        assert terminal.end() == 0
        assert ENTER not in terminal.written
    finally:
        terminal.close()


def test_colours_are_left_out_where_they_are_not_wanted() -> None:
    terminal = Terminal(80, 24, "xterm-256color", "-c", f"import os; os.environ['NO_COLOR'] = '1';{DEMO}")
    try:
        terminal.until("quit and count")
        terminal.press(b"q")
        terminal.until(ACCOUNT)
        assert terminal.end() == 0
        assert ENTER in terminal.written
        assert not re.search(r"\x1b\[[0-9;]*\b(3[0-7]|9[0-7]|38)[0-9;]*m", terminal.written)
    finally:
        terminal.close()
