"""SIGKILL before and after each single step of committing, evicting, acknowledging and repairing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.blocks import STREAMS, Position, Stream, unpack
from agent.clock import SystemClock
from agent.store.outbox import Outbox
from agent.store.settings import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.blocks import Lease

SETTINGS = StoreSettings(
    block_results=4, segment_bytes=16_384, max_bytes=600_000, ballast_bytes=65_536, memory_bytes=1 << 20
)

DAMAGED = ("alert", 5, 8)
"""The block that the program damages."""

# Forks a child for each step: it works in a folder of its own, copied from one that is at its cap, and kills
# itself at that step. Each line of what a child says is written before anything else happens:
# "c stream epoch last": committed; "a stream epoch upto": about to be acknowledged.
PROGRAM = """
import os, random, shutil, signal, sys
from pathlib import Path
from agent.clock import SystemClock
from agent.store import ballast, outbox, repair, segment, state
from tests.integration.store.test_kill_steps import SETTINGS
from tests.simulators.kill_steps import Steps

root = Path(sys.argv[1])
steps = Steps()
steps.watch(
    (state.State, "lose"), (state.State, "acknowledge"), (state.State, "begin"), (state.State, "forget"),
    (state.State, "end"), (segment.Segment, "append"), (ballast.Ballast, "_make"), (repair, "_set_aside"),
    (Path, "rename"), (os, "unlink"),
)

rnd = random.Random(3)

def work(folder, log, rounds, damage):
    def say(*words):
        os.write(log, (" ".join(map(str, words)) + "\\n").encode())
    box = outbox.Outbox(folder, clock=SystemClock(), settings=SETTINGS)
    for n in range(rounds):
        stream = ["metric", "result", "alert", "result"][n % 4]
        last = box.put([{"n": n, "x": rnd.randbytes(2000).hex()} for _ in range(4)], {}, stream)
        box.flush()
        say("c", stream, box.epoch, last)
        if n == damage:
            path = box.queues["alert"].oldest(0)[1].path
            path.write_bytes(path.read_bytes()[:-4096] + bytes(4096))
            box.lease(None, 9000, "alert")
    for stream in ("result", "alert"):
        lease = box.lease(None, 40_000, stream)
        say("a", stream, lease.epoch, lease.last)
        box.ack(lease.epoch, lease.last, stream)
    box.settle()
    box.close()

def opened(name):
    return os.open(root / name, os.O_CREAT | os.O_WRONLY, 0o600)

work_folder = root / "base"
work_folder.mkdir()
work(work_folder, opened("base.log"), 40, -1)
for at in range(10_000):
    folder = root / str(at)
    shutil.copytree(root / "base", folder)
    log = opened(f"{at}.log")
    child = os.fork()
    if not child:
        steps.left = at
        work(folder, log, 20, 5)
        os._exit(0)
    os.close(log)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == 0:
        print(at)
        break
    if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
        sys.exit(f"step {at}: {status}")
"""


@dataclass
class Said:
    """What a killed program had said, by stream and epoch."""

    committed: dict[tuple[Stream, str], int] = field(default_factory=lambda: defaultdict(int))
    acked: dict[tuple[Stream, str], int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def read(cls, *paths: Path) -> Said:
        said = cls()
        for line in "".join(path.read_text() for path in paths).splitlines():
            what, stream, epoch, seq = line.split()
            known = next(one for one in STREAMS if one == stream)
            log = said.committed if what == "c" else said.acked
            log[known, epoch] = max(log[known, epoch], int(seq))
        return said


def taken(lease: Lease, held: set[int], lost: set[int]) -> None:
    for block in lease.blocks:
        assert len(unpack(block).records) == block.count
        numbers = set(range(block.first, block.last + 1))
        assert not numbers & (held | lost)
        held |= numbers
    for loss in lease.lost:
        assert loss.reason == "evicted" or (lease.stream, loss.first, loss.last) == DAMAGED
        lost |= set(range(loss.first, loss.last + 1))
    assert not held & lost


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory, where there is such a place: a kill leaves the same there, sooner."""
    place = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="kills-", dir=place if os.access(place, os.W_OK) else tmp_path))
    yield made
    shutil.rmtree(made)


def test_a_kill_at_any_step_loses_nothing_that_is_not_declared_and_the_cap_holds(folder: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, cwd=Path(__file__).parents[3]
    )
    assert done.returncode == 0, done.stderr
    steps = int(done.stdout)
    assert steps > 100
    evicted = 0
    for step in range(steps + 1):
        data = folder / str(step)
        said = Said.read(folder / "base.log", folder / f"{step}.log")
        with closing(Outbox(data, clock=SystemClock(), settings=SETTINGS)) as outbox:
            assert not outbox.refusing, step
            for stream in STREAMS:
                held: dict[str, set[int]] = defaultdict(set)
                lost: dict[str, set[int]] = defaultdict(set)
                after = None
                while (lease := outbox.lease(after, 50_000, stream)) is not None:
                    taken(lease, held[lease.epoch], lost[lease.epoch])
                    after = Position(lease.epoch, lease.last)
                for (of, epoch), last in said.committed.items():
                    wanted = set(range(said.acked[of, epoch] + 1, last + 1))
                    assert of != stream or not wanted - held[epoch] - lost[epoch], (step, stream)
                status = outbox.status().streams[stream]
                assert status.backlog == sum(map(len, held.values())), step
                assert status.evicted + status.lost >= sum(map(len, lost.values())), step
                evicted += status.evicted
            outbox.put([{}], {})
            outbox.flush()
            ballast = data / "ballast"
            files = [path for path in data.rglob("*") if path.is_file() and path != ballast]
            assert sum(path.stat().st_size for path in files) <= SETTINGS.max_bytes, step
    assert evicted > steps
