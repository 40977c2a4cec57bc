"""The parts of a bundle of diagnostics, where what they tell of is odd."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from agent.cli.reporting.diagnosis import Diagnosis

if TYPE_CHECKING:
    from pathlib import Path

_RENAMED = """
import ctypes
ctypes.CDLL(None).prctl(15, b"\\xff\\xfe) R", 0, 0, 0)  # PR_SET_NAME, see prctl(2)
print("there", flush=True)
input()
"""


def test_what_a_worker_calls_itself_costs_no_part(tmp_path: Path) -> None:
    word = b"agent.\xff"
    with subprocess.Popen(
        [sys.executable, "-c", _RENAMED, word], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            assert worker.stdout.readline() == b"there\n"
            parts = dict(Diagnosis(tmp_path / "none.toml").parts())
        finally:
            worker.stdin.close()
    told = {one["Pid"]: one for one in json.loads(parts["processes.json"])}[str(worker.pid)]
    assert (told["module"], told["Name"]) == ("agent.\ufffd", "\ufffd\ufffd) R")


def test_a_name_that_is_not_utf_8_costs_no_part(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.toml")
    missing = json.loads(dict(Diagnosis(tmp_path / name).parts())["missing.json"])
    assert name in missing["status.json"]
