"""What a program leaves behind is reaped by the first process of a container, and no other child of its."""

from __future__ import annotations

import subprocess
import sys

from agent.supervision.orphans import orphans

# Orphans fall to a process that asks for them (prctl(2)) as they fall to the first of a container.
ADOPTS = """
import ctypes, os, subprocess
from agent.supervision.orphans import Orphans

assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
shell = subprocess.run(["sh", "-c", "sleep 0 & echo $!"], capture_output=True, check=True)
left = int(shell.stdout)
watched = subprocess.Popen(["sh", "-c", "exit 7"])
pidfd = os.pidfd_open(watched.pid)
for pid in (left, watched.pid):
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

def there(pid):
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
    except ChildProcessError:
        return False

reaper = Orphans()
for now in (0.0, 29.0, 30.0, 60.0):
    reaper.tick(now)
    print(now, there(left), there(watched.pid), reaper.next_tick(now))
print(watched.wait())
"""


def test_what_a_program_left_is_reaped_at_the_second_look_and_what_a_pidfd_watches_keeps_its_exit_code() -> (
    None
):
    done = subprocess.run([sys.executable, "-c", ADOPTS], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "0.0 True True 30.0",
        "29.0 True True 1.0",
        "30.0 False True 30.0",
        "60.0 False True 30.0",
        "7",
    ]


def test_who_is_not_the_first_process_leaves_that_to_the_first() -> None:
    assert orphans() is None
