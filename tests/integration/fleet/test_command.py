"""How edgectl begins and ends: no traceback for what a person did, and no password for others to see."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

EDGECTL = [sys.executable, "-m", "agent.fleet.main"]
LOOK_IN = """
import os, sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name == "typer":
            {what}
sys.meta_path.insert(0, Finder())
from agent.fleet.main import main
main()
"""
"""Looks in when the first heavy package is loaded."""


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["version"], ["init", "keys", "--no-models"], ["--help"]])
def test_output_that_cannot_be_written_is_told_in_a_line(
    tmp_path: Path, words: list[str], unbuffered: str
) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*EDGECTL, *words],
            cwd=tmp_path,
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"edgectl: write output: No space left on device\n"


def test_no_core_file_holds_its_keys() -> None:
    look = "import resource as r; from agent.fleet import main as m; m._keep_no_core()"
    command = [sys.executable, "-c", f"{look}; print(r.getrlimit(r.RLIMIT_CORE)[0])"]
    assert subprocess.run(command, capture_output=True, check=True).stdout.strip() in {b"0", b"1"}


def test_a_stop_while_it_starts_leaves_no_traceback() -> None:
    program = LOOK_IN.format(what=f"os.kill(os.getpid(), {int(signal.SIGINT)})")
    command = [sys.executable, "-c", program, "version"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("postgresql://fleet:secret@db.example:5432/x", "postgresql://fleet@db.example:5432/x"),
        ("postgres://db.example/x?password=secret", "postgres://db.example/x"),
        ("postgresql://fleet:se/secret@cret@db.example/x", "postgresql://..."),
        ("postgresql://fleet:secret/#@db.example/x", "postgresql://..."),
        ("postgresql://fleet@db.example/x", "postgresql://fleet@db.example/x"),
        ("postgresql:///x", "postgresql:///x"),
    ],
)
@pytest.mark.parametrize("option", ["--db={}", "{}"])
def test_a_password_is_hidden_before_anything_heavy_is_loaded(url: str, seen: str, option: str) -> None:
    program = LOOK_IN.format(what="print(open('/proc/self/cmdline').read()); sys.exit()")
    done = subprocess.run(
        [sys.executable, "-c", program, "gaps", option.format(url), "last"],
        capture_output=True,
        text=True,
        check=True,
    )
    words = done.stdout.rstrip("\n").split("\0")
    assert [word.rstrip() for word in words[-4:]] == ["gaps", option.format(seen), "last", ""]
