"""File systems of a program's own, mounted in a user namespace, so nobody needs root."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]

# Every program on a store gets the folder to work in as its first argument.
_PRELUDE = """
import queue, resource, subprocess, sys, time
from pathlib import Path
from agent.blocks import Position, unpack
from agent.clock import SystemClock
from agent.errors import AgentError, FolderUnusable
from agent.store.settings import StoreSettings
from agent.store.folder import DataFolder
from agent.store.reports import *
from agent.store.thread import Store

folder = Path(sys.argv[1])

def mount(*options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", *options, "tmpfs", folder], check=True)

def fill():
    subprocess.run(["dd", "if=/dev/zero", f"of={folder}/filler", "bs=4k"], stderr=subprocess.DEVNULL)

class Running:
    def __init__(self, folder=folder, take=lambda: None, **more):
        self.said = queue.SimpleQueue()
        settings = StoreSettings(commit_interval_s=0.02, block_results=8, segment_bytes=20_000, **more)
        self.store = Store(folder, self.said.put, clock=SystemClock(), settings=settings, take=take)
        self.store.start()
        self.n = 0

    def put(self, count):
        for _ in range(count):
            self.n += 1
            self.store.put([{"n": self.n, "x": str(hash(str(self.n))) * 20}], {})

    def next(self, kind):
        while not isinstance(report := self.said.get(timeout=60), kind):
            pass
        return report

    def drained(self):
        after, found = None, []
        while True:
            self.store.lease("result", after, 10_000, 0)
            if (lease := self.next(Leased).lease) is None:
                return found
            found += [record["n"] for block in lease.blocks for record in unpack(block)[0]]
            after = Position(lease.epoch, lease.last)
"""


def namespaces_needed(place: Path) -> None:
    """Skip the test where the kernel gives none."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        pytest.skip("needs unshare and nsenter (util-linux)")
    trial = subprocess.run(
        [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if trial.returncode != 0:
        pytest.skip(f"this kernel gives no user namespaces: {trial.stderr.strip()}")


def run(program: str, folder: Path, *, namespace: bool) -> str:
    """Run a program on a folder; give what it printed."""
    command = [sys.executable, "-c", _PRELUDE + program, str(folder)]
    done = subprocess.run(
        [*(NAMESPACE if namespace else []), *command], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout
