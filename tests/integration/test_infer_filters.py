"""edge-agent infer with filters: what they hold back is counted and has no line; a wrong option is told."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

pytest.importorskip("agent.filters.change")

COMMAND = [
    *(sys.executable, "-m", "agent.cli.main", "infer", "shapes"),
    *("--source", "synthetic:fps=0", "--frames", "60", "--filter"),
]


def test_frames_that_a_filter_holds_back_have_no_line_and_are_no_failure() -> None:
    done = subprocess.run([*COMMAND, "change"], capture_output=True, text=True, timeout=60, check=False)
    told = re.fullmatch(r"edge-agent: no line of (\d+) filtered change, of 60 frames\n", done.stderr)
    assert told
    assert done.returncode == 0
    frames = [json.loads(line)["frame"] for line in done.stdout.splitlines()]
    assert len(set(frames)) == 60 - int(told[1]) < 60


def test_a_wrong_option_of_a_filter_is_one_line_that_names_it() -> None:
    command = [*COMMAND, "change:no_such_option=1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "filters.0.no_such_option: there is no such key" in done.stderr
