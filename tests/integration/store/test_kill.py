"""SIGKILL at random moments: what was reported as committed is there, unless it was delivered."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING

from agent.blocks import Position, unpack
from agent.clock import SystemClock
from agent.store.outbox import Outbox
from agent.store.settings import StoreSettings

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 15

# Puts, commits, leases and acknowledges as fast as it can. Each line is written before anything else happens:
# "c epoch last": committed; "d epoch upto": delivered, about to be acknowledged.
PROGRAM = """
import os, random, sys
from pathlib import Path
from agent.clock import SystemClock
from agent.store.settings import StoreSettings
from agent.store.outbox import Outbox

rnd = random.Random(int(sys.argv[2]))
settings = StoreSettings(block_results=8, segment_bytes=20_000)
outbox = Outbox(Path(sys.argv[1]), clock=SystemClock(), settings=settings)

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

n = 0
while True:
    for _ in range(rnd.choice([1, 5, 40])):
        n += 1
        outbox.put([{"n": n, "epoch": outbox.epoch, "x": rnd.randbytes(60).hex()}], {"p": {"captured": n}})
    say("c", outbox.epoch, outbox.flush())
    if rnd.random() < 0.6 and (lease := outbox.lease(None, rnd.choice([1, 3000, 30000]))):
        say("d", lease.epoch, lease.last)
        outbox.ack(lease.epoch, lease.last)
"""


def killed_at_random(folder: Path, rnd: random.Random) -> str:
    """Run the program, kill it some time after its first commit, and give what it said."""
    command = [sys.executable, "-c", PROGRAM, str(folder), str(rnd.randrange(10**6))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        first = program.stdout.readline()
        time.sleep(rnd.random() * 0.15)
        program.kill()
        said = (first + program.stdout.read()).decode()
    return said[: said.rfind("\n") + 1]


def held(folder: Path) -> dict[str, set[int]]:
    """Drain a folder without acknowledging; check each record's number on the way."""
    found: dict[str, set[int]] = defaultdict(set)
    order: list[str] = []
    with closing(Outbox(folder, clock=SystemClock(), settings=StoreSettings())) as outbox:
        after = None
        while (lease := outbox.lease(after, 20_000)) is not None:
            after = Position(lease.epoch, lease.last)
            order.append(lease.epoch)
            for block in lease.blocks:
                records, ledgers, _ = unpack(block)
                assert [(r["epoch"], r["n"]) for r in records] == [
                    (lease.epoch, n) for n in range(block.first, block.last + 1)
                ]
                assert ledgers == {"p": {"captured": block.last}}
                found[lease.epoch].update(range(block.first, block.last + 1))
    assert [epoch for i, epoch in enumerate(order) if i == 0 or order[i - 1] != epoch] == list(found)
    return found


def test_no_committed_result_is_lost_by_a_kill(tmp_path: Path) -> None:
    rnd = random.Random(7)
    committed: dict[str, int] = defaultdict(int)
    delivered: dict[str, int] = defaultdict(int)
    for _ in range(KILLS):
        for what, epoch, seq in re.findall(
            r"^(.) (\w+) (\d+)$", killed_at_random(tmp_path, rnd), re.MULTILINE
        ):
            log = committed if what == "c" else delivered
            log[epoch] = max(log[epoch], int(seq))
        there = held(tmp_path)
        for epoch, last in committed.items():
            missing = set(range(delivered[epoch] + 1, last + 1)) - there[epoch]
            assert not missing
    assert sum(committed.values()) > 100 * KILLS
    assert sum(delivered.values()) > 0
    left = sum(path.stat().st_size for path in (tmp_path / "segments").iterdir())
    waiting = sum(len(seqs) for seqs in held(tmp_path).values())
    assert left < 40_000 * KILLS + 400 * waiting
