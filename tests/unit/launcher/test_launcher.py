"""A launcher and its worker, as processes: what it starts, what it refuses, and what ends with whom."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.confinement import landlock
from agent.errors import LaneCrashed
from agent.launcher.main import MAX_RUNNING
from agent.launcher.starting import Launcher, Started
from tests.simulators.running_agent import until_gone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHELL = ("sh", "-c", "echo $$; exec sleep 60")
MISSING = ("no-such-program",)


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    with closing(Launcher([SHELL, MISSING], None)) as made:
        yield made


def which(name: str = "sh") -> str:
    path = shutil.which(name)
    assert path is not None
    return path


def line(started: Started) -> str:
    with os.fdopen(started.stdout, "r") as file, os.fdopen(started.stderr):
        return file.readline().strip()


def test_a_command_that_it_was_told_of_is_started_and_ended_as_often_as_asked(launcher: Launcher) -> None:
    for _ in range(2):
        started = launcher.start(which(), SHELL[1:])
        pid = int(line(started))
        assert started.finish(0) == -signal.SIGTERM
        assert started.finish(0) == -signal.SIGTERM
        assert until_gone(pid)


@pytest.mark.parametrize("command", [("sh", "-c", "id"), ("id",), ("sh",)])
def test_no_other_command_is_started(launcher: Launcher, command: tuple[str, ...]) -> None:
    with pytest.raises(PermissionError, match="was not told"):
        launcher.start(which(command[0]), command[1:])


@pytest.mark.parametrize(
    "message", [{"start": 2}, {"start": "sh"}, {"run": "sh"}, {"finish": 7, "patience_s": 0}]
)
def test_who_asks_for_what_there_is_not_gets_no_answer_any_more_and_all_ends(
    launcher: Launcher, message: dict[str, object]
) -> None:
    pid = int(line(launcher.start(which(), SHELL[1:])))
    for _ in range(2):
        with pytest.raises(LaneCrashed, match="is gone"):
            launcher.ask(message, 10)
    assert until_gone(pid)


@pytest.mark.parametrize("patience_s", [-1, 60])
def test_it_does_not_wait_for_longer_than_a_moment_whatever_it_is_asked(
    launcher: Launcher, patience_s: float
) -> None:
    pid = int(line(launcher.start(which(), SHELL[1:])))
    said, _ = launcher.ask({"finish": 1, "patience_s": patience_s}, 30)
    assert said == {"ended": -signal.SIGTERM}
    assert until_gone(pid)


def test_more_programs_than_a_few_are_refused(launcher: Launcher) -> None:
    running = [launcher.start(which(), SHELL[1:]) for _ in range(MAX_RUNNING)]
    with pytest.raises(OSError, match=os.strerror(errno.EAGAIN)):
        launcher.start(which(), SHELL[1:])
    for one in running:
        line(one)


WORKER = """
import json, os, sys, time
from agent.confinement import landlock
from agent.launcher.starting import Resident
from agent.types import Command, Needs
from agent.workers.confining import confine
from agent.workers.spec import LaneSpec

command, hidden = json.loads(sys.argv[1])
spec = LaneSpec(pipeline="p", model="m", source="s", hidden=hidden)
held = confine(spec, [Needs(programs=(Command(tuple(command)),))])
started = Resident.launcher.start(command[0], command[1:])
print(held.landlock, os.read(started.stdout, 65536).decode(), flush=True)
time.sleep(60)
"""


def worker(command: tuple[str, ...], hidden: list[str]) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WORKER, json.dumps([command, hidden])]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def test_what_it_has_started_ends_when_its_worker_is_killed_and_so_do_the_children_of_that() -> None:
    script = "sh -c 'echo $$; exec sleep 60' & echo $$; wait"
    with worker((which(), "-c", f"({script}) | (read a; read b; echo $a $b); sleep 60"), []) as process:
        assert process.stdout is not None
        _, *pids = process.stdout.readline().split()
        process.kill()
    assert len(pids) == 2
    for pid in pids:
        assert until_gone(int(pid))


@pytest.mark.landlock
def test_a_program_reads_nothing_that_is_hidden_and_writes_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "keys" / "device.key"
    secret.parent.mkdir()
    secret.write_text("secret")
    tries = {
        "read": f"cat {secret}",
        "write": f"echo 1 > {tmp_path}/new",
        "write beside its module": "echo 1 > /usr/new",
        "mount": "mount -t tmpfs none /mnt",
        "run": "/bin/true",
    }
    script = "".join(f"({one}) >/dev/null 2>&1; echo '{name}' $?;" for name, one in tries.items())
    with worker((which(), "-c", f"({script}) | tr '\\n' ';'"), [str(secret.parent)]) as process:
        assert process.stdout is not None
        abi, _, rest = process.stdout.readline().partition(" ")
        process.kill()
    assert int(abi) == landlock.abi()
    codes = dict(one.rsplit(" ", 1) for one in rest.strip().rstrip(";").split(";"))
    assert codes.keys() == tries.keys()
    assert {name for name, code in codes.items() if code == "0"} == {"run"}
    assert not (tmp_path / "new").exists()


def test_a_launcher_that_is_gone_is_a_reason_for_a_new_worker() -> None:
    launcher = Launcher([SHELL], None)
    os.kill(launcher._child.pid, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(LaneCrashed, match="the process that starts programs for this worker is gone"):
        launcher.start(which(), SHELL[1:])
    assert time.monotonic() - began < 5
    launcher.close()
