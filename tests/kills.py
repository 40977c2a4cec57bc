"""Kill the agent, its workers and the collector, many times, at named states and at random moments.

    python -m tests.kills [--count 1000] [--seed 1] [--json]

Two of three kills are at named states, each in turn; the others at some moment. In the end everything is
drained, and the accounts must say: nothing lost, nothing twice, every ledger in balance.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import machine
from tests.simulators.collected import Accounts, accounts
from tests.simulators.kill_points import POINTS, Kill, compile_kill_point
from tests.simulators.killing import PROGRAMS, Scene

if TYPE_CHECKING:
    from collections.abc import Callable


def killed(folder: Path, count: int, seed: int, say: Callable[[str], None]) -> tuple[list[Kill], Accounts]:
    """Kill so many times, drain, and give the kills and the accounts."""
    noise = random.Random(seed)
    points = list(POINTS)
    kills: list[Kill] = []
    with Scene(folder, compile_kill_point(folder)) as scene:
        for number in range(count):
            if number % 3 == 2:
                kills.append(scene.kill(noise.choice(list(PROGRAMS)), noise))
            else:
                at = (number - number // 3) % len(points)
                if at == 0:
                    noise.shuffle(points)
                kills.append(scene.kill_at(points[at], noise))
            say(f"{time.strftime('%H:%M:%S')} {number + 1}/{count} {kills[-1]}")
        scene.finish()
        return kills, accounts(scene.database, scene.known.last)


def report(kills: list[Kill], found: Accounts) -> str:
    """Write a table, a row for each state."""
    by_state = defaultdict(list)
    for kill in kills:
        by_state[kill.victim, kill.name].append(kill.back_s)
    rows = ["| killed | state | kills | ready again: median, worst [s] |", "|---|---|---|---|"]
    for (victim, name), times in sorted(by_state.items()):
        rows.append(
            f"| {victim} | {name} | {len(times)} | {statistics.median(times):.2f}, {max(times):.2f} |"
        )
    rows.append("")
    rows.append(
        f"{len(kills)} kills; {found.stored} records stored, {found.missing} missing, "
        f"{found.lost} declared lost, {found.duplicated} twice, {len(found.unbalanced)} ledgers unbalanced."
    )
    return "\n".join(rows)


def main() -> int:
    """Run, print; give the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        kills, found = killed(
            Path(name), arguments.count, arguments.seed, lambda line: print(line, file=sys.stderr)
        )
    if arguments.json:
        print(json.dumps({"machine": machine(), "kills": [asdict(k) for k in kills], **asdict(found)}))
    else:
        print(f"machine: {machine()}\n{report(kills, found)}", *found.unbalanced, sep="\n")
    return 0 if not (found.missing or found.lost or found.duplicated or found.unbalanced) else 1


if __name__ == "__main__":
    sys.exit(main())
