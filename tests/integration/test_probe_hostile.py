"""Libraries and processes that would hold a try of an accelerator up, or leave something behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from agent.boards.accelerators import Accelerator
from agent.probing.trial import Outcome, TrialSpec, try_out
from tests import runtimes
from tests.simulators.puppet_accelerator import PuppetChild

_FORKS = """
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void begin(void) {
  pid_t child = fork();
  if (!child) for (;;) pause();
  FILE *file = fopen(PATH, "w");
  fprintf(file, "%d", (int)child);
  fclose(file);
  _exit(0);
}
"""


def test_what_a_library_has_forked_ends_with_its_try_and_does_not_hold_it_up(tmp_path: Path) -> None:
    if not shutil.which("cc"):
        pytest.skip("install a C compiler (Debian: apt-get install gcc libc6-dev)")
    library, forked = tmp_path / "libforks.so", tmp_path / "pid"
    flags = ["-shared", "-fPIC", f'-DPATH="{forked}"', "-x", "c", "-"]
    subprocess.run(["cc", "-o", str(library), *flags], input=_FORKS, text=True, check=True)
    accelerator = Accelerator(kind="external", options={"library": str(library)})
    began = time.monotonic()
    found = try_out(TrialSpec(accelerator=accelerator, runtime=runtimes.CHOSEN, confine=False))
    assert found == Outcome("open", problem="exit code 0 while opening it")
    assert time.monotonic() - began < 20
    state = Path(f"/proc/{forked.read_text()}/stat")
    deadline = time.monotonic() + 30
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline


@pytest.mark.parametrize("stage", ["open", "load"])
def test_a_process_that_tells_the_same_stage_for_ever_is_ended(stage: str) -> None:
    def spawn(_module: str, _orders: bytes) -> PuppetChild:
        child = PuppetChild(1)
        for _ in range(3):
            child.end.send(json.dumps({"type": "at", "stage": stage}).encode())
        return child

    began = time.monotonic()
    found = try_out(TrialSpec(accelerator=Accelerator(kind="cpu")), spawn)
    assert found.problem.startswith("it does not get on while ")
    assert time.monotonic() - began < 10
