"""Measure how long the service takes from ``systemctl start`` to its first result on the disk.

    python -m tests.starts [--count 5] [--root build/rootfs]

A machine is booted in systemd-nspawn, with the unit as shipped, and rebooted before each start but the first.
It needs root, and the file system that ``make test-system`` builds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import machine as described
from tests.system.booted import CONFIG, UNIT
from tests.system.container import Container
from tests.system.disk import Disk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.system.booted import Booted

REPOSITORY = Path(__file__).resolve().parents[1]
_EVERY_S = 0.01


def start(machine: Booted) -> tuple[float, float]:
    """Start the service; give the seconds until it was ready, and until a result was committed."""
    began = time.monotonic()
    told = machine.run("systemctl", "start", UNIT)
    assert told.returncode == 0, told.stderr + machine.journal()
    ready_s = time.monotonic() - began
    while True:
        status = machine.status()
        if status and status["store"]["streams"]["result"]["committed"]:
            return ready_s, time.monotonic() - began
        assert time.monotonic() - began < 60 * machine.patience, machine.journal()
        time.sleep(_EVERY_S)


def starts(count: int, root: Path, folder: Path) -> list[tuple[float, float]]:
    """Start it so many times, each on a machine that has just been booted."""
    units = {f"/etc/systemd/system/{UNIT}": REPOSITORY / "systemd" / UNIT}
    found = []
    with Container(root, folder / "console", units, disk=Disk(folder)) as machine:
        machine.write("/etc/edge-agent/agent.toml", CONFIG)
        for number in range(count):
            if number:
                machine.reboot()
            found.append(start(machine))
    return found


def report(found: Sequence[tuple[float, float]]) -> str:
    """Write a table."""
    rows = ["| from `systemctl start` to | median [s] | worst [s] |", "|---|---|---|"]
    for at, what in enumerate(("ready, as systemd is told", "the first result on the disk")):
        times = [one[at] for one in found]
        rows.append(f"| {what} | {statistics.median(times):.2f} | {max(times):.2f} |")
    return "\n".join(rows)


def main() -> int:
    """Run, print; give the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--root", type=Path, default=REPOSITORY / "build" / "rootfs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edge-agent-starts-") as name:
        found = starts(arguments.count, arguments.root, Path(name))
    print(f"machine: {described()}\n{report(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
