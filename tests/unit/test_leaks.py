from __future__ import annotations

import select
import socket
import subprocess
import sys
import threading
import time

import pytest

from tests import leaks


def test_nothing_done_is_nothing_left() -> None:
    assert leaks.since(leaks.Holdings.now()) == []


def test_a_thread_a_descriptor_and_a_child_are_named() -> None:
    before = leaks.Holdings.now()
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="forgotten", daemon=True)
    thread.start()
    one, other = socket.socketpair()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = leaks.since(before, grace_s=0.1)
        assert child.stdin is not None
        child.stdin.close()
    stop.set()
    thread.join()
    one.close()
    other.close()
    assert "thread 'forgotten'" in found
    assert "2 descriptor(s) of socket" in found
    assert "1 descriptor(s) of pipe" in found
    assert any("input()" in line and line.startswith("child process") for line in found)
    assert leaks.since(before) == []


def test_what_ends_within_the_grace_is_no_leak() -> None:
    before = leaks.Holdings.now()
    timer = threading.Timer(0.1, lambda: None)
    timer.start()
    assert leaks.since(before) == []


def test_what_goes_with_its_cycle_is_no_leak_however_long_that_takes() -> None:
    before = leaks.Holdings.now()
    cycle: list[object] = [select.epoll()]
    cycle.append(cycle)
    del cycle
    assert leaks.since(before, grace_s=0) == []


def test_what_a_wider_fixture_replaces_is_no_leak() -> None:
    held = socket.socket()
    before = leaks.Holdings.now()
    replacement = socket.socket()
    held.close()
    assert leaks.since(before, grace_s=0) == []
    replacement.close()


def test_an_ended_child_that_nobody_reaped_yet_is_no_leak() -> None:
    before = leaks.Holdings.now()
    child = subprocess.Popen([sys.executable, "-c", ""])
    assert leaks.since(before) == []
    child.wait()


@pytest.mark.parametrize("program", ["workers", "updater"])
def test_a_worker_or_updater_whose_supervisor_is_gone_is_an_orphan(program: str) -> None:
    # The shell stands for the supervisor: it starts what looks like a worker, and ends.
    worker = f"{sys.executable} -c 'import sys; sys.stdin.read()' -m agent.{program}.main 3 4 5"
    with subprocess.Popen(
        ["/bin/sh", "-c", f"exec 3<&0; {worker} $$ <&3 &"], stdin=subprocess.PIPE
    ) as supervisor:
        supervisor.wait()
        mine = f" 3 4 5 {supervisor.pid}"  # other tests run beside this one, and kill supervisors
        deadline = time.monotonic() + 20
        while mine not in (found := str(leaks.orphans(grace_s=0.1))) and time.monotonic() < deadline:
            time.sleep(0.02)  # it is still being started
    assert f"without its supervisor: '{sys.executable} -c" in found
    assert mine in found
    assert mine not in str(leaks.orphans())
