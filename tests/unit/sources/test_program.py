"""Programs whose output is read: real ones, which end, complain, hang and leave children behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.errors import ExtraMissing, SourceLost
from agent.sources._program import Program

if TYPE_CHECKING:
    from collections.abc import Callable

HINTS = {"busy": "Close the other program", "": "See what it says"}


def shell(script: str) -> Program:
    """Run a script of the shell."""
    argv = ["sh", "-c", script]
    return Program(argv, op="read sensor", subject="hw:1", install="Install it", hints=HINTS)


def read(program: Program, count: int) -> bytes:
    data, deadline = b"", time.monotonic() + 30
    while len(data) < count:
        assert program.wait(deadline)
        data += program.read()
    return data


def eventually(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ended(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has waited for it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_one_that_complains_without_an_end_is_not_waited_for_longer_than_asked() -> None:
    with closing(shell("yes >&2; :")) as program:
        eventually(lambda: "y" in program.said())
        before = time.monotonic()
        for _ in range(4):
            assert not program.wait(time.monotonic() + 0.05)
        assert time.monotonic() - before < 5


def test_what_it_puts_out_is_read_as_it_comes() -> None:
    with closing(shell("printf abc; exec sleep 60")) as program:
        assert read(program, 3) == b"abc"
        assert program.read() == b""
        before = time.monotonic()
        assert not program.wait(time.monotonic() + 0.05)
        assert 0.05 <= time.monotonic() - before < 5


def test_it_is_read_into_a_buffer_too() -> None:
    with closing(shell("printf abcdef; exec sleep 60")) as program:
        assert program.wait(time.monotonic() + 10)
        held = bytearray(4)
        assert program.read_into(memoryview(held)) == 4
        assert held == b"abcd"
        assert program.read_into(memoryview(held)) == 2
        assert program.read_into(memoryview(held)) == 0


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo first >&2; echo 'sh: device busy' >&2; exit 3",
         r"^read sensor hw:1: sh: device busy \(exit code 3\)\. Close the other program$"),
        ("exit 0", r"sh: it has ended \(exit code 0\)\. See what it says$"),
        ("kill -9 $$", r"it has ended \(ended by signal 9\)"),
        ("printf 'no end' >&2", r"no end \(exit code 0\)"),
    ],
)  # fmt: skip
def test_its_end_is_one_line_with_its_last_complaint_and_a_hint(script: str, told: str) -> None:
    with closing(shell(script)) as program:
        assert program.wait(time.monotonic() + 10)
        with pytest.raises(SourceLost, match=told):
            program.read()
        with pytest.raises(SourceLost, match=told):
            program.read_into(memoryview(bytearray(1)))


def test_what_it_complains_of_never_fills_up_and_the_newest_lines_are_told() -> None:
    line = "a line that is long enough to fill a pipe"
    lines = f"i=0; while [ $i -lt 3000 ]; do echo $i {line} >&2; i=$((i+1)); done"
    with closing(shell(f"{lines}; printf x; exec sleep 60")) as program:
        assert read(program, 1) == b"x"
        said = program.said()
        assert (len(said), said[-1][:5]) == (100, "2999 ")
        assert program.said() == []


def test_a_program_that_is_missing_is_named_with_how_to_install_it() -> None:
    with pytest.raises(ExtraMissing, match=r"there is no program no-such-one\. Install it"):
        Program(["no-such-one"], op="read sensor", subject="x", install="Install it", hints={})


def test_closing_ends_it_and_what_it_has_started_also_twice() -> None:
    program = shell("sleep 60 & echo $!; wait")
    child = int(read(program, 2))
    for _ in range(2):
        program.close()
    eventually(lambda: ended(child))


def test_one_that_does_not_obey_is_killed() -> None:
    program = shell("trap '' TERM; echo ready; while :; do sleep 1; done")
    read(program, 6)
    before = time.monotonic()
    program.close()
    assert time.monotonic() - before < 5


def test_it_dies_with_the_process_that_started_it() -> None:
    code = """
import os, time
from tests.unit.sources.test_program import read, shell
program = shell("echo $$; exec sleep 60")
print(int(read(program, 2)), flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not ended(child)
        parent.kill()
    eventually(lambda: ended(child))


def test_it_ends_when_nobody_reads_it_any_more() -> None:
    """Python ignores SIGPIPE; what it starts must not."""
    with closing(shell("while :; do echo; done")) as program:
        read(program, 1)
        pid = program._running._process.pid  # type: ignore[attr-defined]
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, program._running.stdout)
        os.close(nowhere)
        eventually(lambda: ended(pid))


def test_opening_and_closing_often_leaves_no_descriptor() -> None:
    held = len([*Path("/proc/self/fd").iterdir()])
    for _ in range(10):
        shell("exec sleep 60").close()
    assert len([*Path("/proc/self/fd").iterdir()]) == held
