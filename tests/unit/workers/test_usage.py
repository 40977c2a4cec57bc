"""What a process uses, read of real processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing

import pytest

from agent.workers.usage import Usage

HIDES = """
import ctypes, sys
sys.stdin.readline()
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
total = sum(range(2_000_000))
print("hidden", flush=True)
sys.stdin.readline()
"""

STARTS = """
import ctypes, subprocess
from contextlib import closing
from agent.workers.usage import Usage
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
unseen = 0
for _ in range(100):
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process, closing(Usage(process.pid)) as usage:
        unseen += usage.rss_bytes() is None or usage.cpu_seconds() is None
print(unseen)
"""
# As systemd does for a service: who may not trace a process does not see it.
HIDDEN = (
    "mount -t proc -o hidepid=ptraceable proc /proc && "
    'exec setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace "$@"'
)


def test_a_process_that_just_began_is_seen_by_a_parent_that_is_closed_to_others() -> None:
    if os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("setpriv")):
        pytest.skip("needs root, unshare and setpriv: it mounts a /proc that hides processes")
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", HIDDEN, "sh"]
    command = [*namespaces, sys.executable, "-c", STARTS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.stderr.startswith("mount: "):
        pytest.skip(f"no such /proc can be mounted here: {done.stderr.strip()}")
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_process_that_closed_its_memory_later_is_still_read_and_one_that_ended_is_not() -> None:
    process = subprocess.Popen([sys.executable, "-c", HIDES], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process, closing(Usage(process.pid)) as usage:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in (b"hide\n", b"end\n"):
            process.stdin.write(line)
            process.stdin.flush()
            if line == b"hide\n":
                assert process.stdout.readline() == b"hidden\n"
                assert (usage.rss_bytes() or 0) > 1 << 20
                assert (usage.cpu_seconds() or 0.0) > 0
        process.wait(10)
        assert (usage.rss_bytes(), usage.cpu_seconds()) == (None, None)


def test_what_is_not_there_has_no_use_and_holds_no_descriptor() -> None:
    with closing(Usage(1 << 30)) as usage:
        assert (usage.rss_bytes(), usage.cpu_seconds()) == (None, None)


def test_a_name_that_looks_like_fields_is_a_name() -> None:
    with closing(Usage(os.getpid())) as usage, open("/proc/self/comm", "r+") as comm:  # noqa: PTH123 - one file, two ways
        before = comm.read()
        comm.seek(0)
        comm.write("a) R 1 (b")
        comm.flush()
        try:
            assert 0 < (usage.cpu_seconds() or 0.0) < 1e6
        finally:
            comm.seek(0)
            comm.write(before.strip())
            comm.flush()
