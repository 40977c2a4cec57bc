"""An accelerator's process that SIGKILL does not end, for real: a tracer that does not let go of the dead."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from agent.recovery import life
from agent.recovery.ladder import State
from tests.simulators.glyph_camera import Scene
from tests.simulators.live_accelerators import Line

if TYPE_CHECKING:
    from pathlib import Path

_TRACES = """
import ctypes, sys
attach, pid = 16, int(sys.argv[1])
print(ctypes.CDLL(None).ptrace(attach, pid, 0, 0), flush=True)
sys.stdin.read()
"""
"""The process is stopped then; killed, it stays as it is until its tracer has waited for it, or is gone."""


def test_what_sigkill_does_not_end_is_not_started_again_and_frames_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "_KILL_S", 0.5)
    scene = Scene(tmp_path)
    with Line([scene.accelerator()], scene.spec("door")) as line:
        line.until_on("door", "liar")
        owner = line.all.owners["liar"]
        assert owner.life is not None
        command = [sys.executable, "-S", "-c", _TRACES, str(owner.life.process.pid)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tracer:
            assert tracer.stdout is not None
            if tracer.stdout.readline() != b"0\n":
                tracer.kill()
                pytest.skip("this user may trace no process that has closed its memory: run it as root")
            line.until(lambda: owner.state is State.STUCK)
            seen = len(line.work["door"])
            line.until(lambda: len(line.work["door"]) >= seen + 5)
            assert (owner.state, owner.restarts) == (State.STUCK, 0)
            tracer.kill()
        line.until(lambda: owner.state is State.RESTING)
        ledger = line.lanes["door"].ledger
        assert (ledger.balanced, ledger.lost, dict(ledger.failed)) == (True, 0, {})
