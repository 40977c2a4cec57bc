"""The machine of these tests itself."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

HOLDER = """
import sys
from pathlib import Path
from tests.system.container import Container
with Container(Path(sys.argv[1]), Path(sys.argv[2]), {}):
    print("booted", flush=True)
    sys.stdin.readline()
"""


def of_machine(name: str) -> list[str]:
    """Processes of a container, by the name of its machine."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if f"--machine={name}".encode() in words.split(b"\0"):
            found.append(entry.name)
    return found


def test_it_ends_with_the_tests_even_when_those_are_killed(rootfs: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(rootfs), str(tmp_path / "console")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"booted\n"
        [nspawn] = of_machine(f"edge-{holder.pid}")
        [leader] = Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split()
        holder.kill()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in (nspawn, leader)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in (nspawn, leader) if Path(f"/proc/{pid}").exists()] == []
