"""Draining a backlog until it is stored and acknowledged, against a bare publisher of its blocks: records/s.

    python -m bench.sync [--records N] [--rounds N] [--quick] [--json]

Ours is the real store, delivery and link in one process, and ``edgectl collect`` in another; batches and
acknowledgements are signed. The other side is a paho publisher with QoS 1 that has all blocks in memory and
sends one a message, and a subscriber that adds up their counts. Both set TCP_NODELAY; the broker is the same
mosquitto.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from agent.clock import SystemClock
from agent.demo.broker import Broker
from agent.fleet.keys import make_keys
from agent.store.outbox import Outbox
from bench.collected import await_collector, count_of
from bench.figures import Figure, report
from bench.records import PERIOD_NS, ledger, records

_TARGET = 0.4
_CONFIG = """\
[device]
id = "bench"
[log]
level = "warning"
[mqtt]
host = "127.0.0.1"
port = {port}
fleet = "bench"
[trust]
device_key = "{folder}/keys/devices/bench.key"
collector_key = "{folder}/keys/collector.pub"
[store]
path = "data"
[[pipelines]]
name = "door"
model = "glyphs"
source = {{ kind = "synthetic" }}
"""


def main() -> int:
    """Measure and print; give the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="3 rounds of 50,000: a look, no proof")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    count, rounds = (50_000, 3) if arguments.quick else (arguments.records, arguments.rounds)
    ours, other = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_keys(folder / "keys", ["bench"])
        fill(folder / "full", count)
        for number in range(rounds):
            broker = Broker(folder / f"broker-{number}", kind="mosquitto")  # a new one: it retains no word
            broker.start()
            try:
                ours.append(count / drained(folder, broker.port, count))
                other.append(count / published(folder / "full", broker.port, count))
            finally:
                broker.stop()
            print(f"round {number + 1}/{rounds}: {ours[-1]:.0f} against {other[-1]:.0f}", file=sys.stderr)
    figure = Figure("drain, stored and acknowledged", "records/s", tuple(ours), tuple(other), _TARGET, "more")
    return report([figure], as_json=arguments.json)


def fill(folder: Path, count: int) -> None:
    """Put a backlog into a data folder."""
    folder.mkdir()
    noise = random.Random(1)
    began = time.monotonic_ns() - count * PERIOD_NS
    with closing(Outbox(folder, clock=SystemClock())) as outbox:
        for at in range(0, count, 4096):
            for first in range(at, min(count, at + 4096), 64):
                group = records(min(64, count - first), first, began, noise)
                outbox.put(group, {"door": ledger(first + len(group))})
            outbox.flush()


def drained(folder: Path, port: int, count: int) -> float:
    """Drain a copy of the backlog with our own parts; give the seconds."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        device = Path(name)
        shutil.copytree(folder / "full", device / "data")
        (device / "agent.toml").write_text(_CONFIG.format(port=port, folder=folder), encoding="utf-8")
        to = ["--to", f"sqlite:///{device}/fleet.db", "--keys", str(folder / "keys"), "--json"]
        where = ["--host", "127.0.0.1", "--port", str(port), "--fleet", "bench"]
        collector = subprocess.Popen(
            [sys.executable, "-m", "agent.fleet.main", "collect", *where, *to], stdout=subprocess.PIPE
        )
        try:
            await_collector(collector)
            command = [sys.executable, "-m", "bench.drain", str(device / "agent.toml")]
            seconds = float(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=600).stdout)
        finally:
            collector.terminate()
            collector.communicate(timeout=20)
        assert count_of(device) == count, "not everything was stored"
        return seconds


def published(backlog: Path, port: int, count: int) -> float:
    """Publish the same blocks to a counting subscriber; give the seconds."""
    bare = [sys.executable, "-m", "bench.bare"]
    with subprocess.Popen([*bare, "count", str(port), str(count)], stdout=subprocess.PIPE) as subscriber:
        assert subscriber.stdout is not None
        assert subscriber.stdout.readline() == b"ready\n"
        command = [*bare, "publish", str(port), str(backlog)]
        began = float(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=600).stdout)
        return float(subscriber.stdout.readline()) - began


if __name__ == "__main__":
    sys.exit(main())
