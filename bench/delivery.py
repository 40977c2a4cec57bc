"""A model's verified download against raw delivery of the same bytes; its memory; commands beside it.

    python -m bench.delivery [--mb N] [--chunk BYTES] [--rate BYTES] [--rounds N] [--quick] [--json]

Ours is the updater's session: metadata proved, chunks in a window, each hashed before it is written, the
whole hashed again, fsync, rename. The other side is a paho subscriber of all chunks at once, who proves
nothing: one who makes a durable file of them, and one who only counts. All in processes of their own, on one
mosquitto. Peak memory is the updater process's, against what it may take.

Commands are timed on a first-in-first-out link (tc tbf between two network namespaces), which needs root,
``unshare``, ``ip`` and ``tc``; left out where they are missing. The other side is half a second, and then the
same link with the raw download on it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from agent.demo.broker import Broker
from bench import fetched
from bench.figures import Figure, report
from tests.simulators.retained import Retained
from tests.simulators.tuf_fleet import TufFleet
from tests.simulators.updating import Device

_MB = 1 << 20
_RATIO, _MOST_MB, _MOST_S = 0.6, 45.0, 0.5
_COMMANDS = 10
"""Seconds that a model takes on the slow link."""
_NEEDS = ("unshare", "nsenter", "ip", "tc", "mosquitto")


@dataclass(frozen=True, slots=True)
class Published:
    """A fleet's repository with one model of ``size`` bytes, and its files below ``folder``."""

    fleet: TufFleet
    folder: Path
    sha256: str
    size: int
    chunk: int

    @classmethod
    def made(cls, folder: Path, size: int, chunk: int) -> Published:
        """Make it of random bytes."""
        fleet, model = TufFleet(), random.Random(1).randbytes(size)
        fleet.add_bundle("det", "1.0.0", {"det.tflite": model}, chunk_size=chunk)
        folder.mkdir()
        for name, data in fleet.files().items():
            path = folder / "tuf" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        (folder / "root.json").write_bytes(fleet.root)
        sha256 = hashlib.sha256(model).hexdigest()
        (folder / "sha256").write_text(sha256)
        (folder / "size").write_text(str(size))
        (folder / "chunk").write_text(str(chunk))
        return cls(fleet, folder, sha256, size, chunk)


def main() -> int:
    """Measure and print; give the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mb", type=int, default=64, help="size of the model")
    parser.add_argument("--chunk", type=int, default=127 << 10)
    parser.add_argument("--rate", type=int, default=256 << 10, help="bytes/s of the slow link")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="3 rounds of 16 MB: a look, no proof")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    size, rounds = (16, 3) if arguments.quick else (arguments.mb, arguments.rounds)
    with tempfile.TemporaryDirectory() as name:
        model = Published.made(Path(name) / "fleet", size * _MB, arguments.chunk)
        figures = downloads(Path(name), model, rounds)
        if missing := [one for one in _NEEDS if not shutil.which(one)] or os.geteuid():
            print(f"commands on a slow link are left out: needs root, {missing}", file=sys.stderr)
        else:
            small = Published.made(Path(name) / "small", arguments.rate * _COMMANDS, arguments.chunk)
            figures += commands(small, arguments.rate, 1 if arguments.quick else min(3, rounds))
    return report(figures, as_json=arguments.json)


def downloads(folder: Path, model: Published, rounds: int) -> list[Figure]:
    """Measure rates and memory, round by round."""
    ours, kept, counted, peaks = [], [], [], []
    broker = Broker(folder / "broker", kind="mosquitto")
    broker.start()
    try:
        Retained(broker.port, fetched.FLEET).show(model.fleet.files())
        for number in range(rounds):
            data = folder / f"device-{number}"
            mine = _seconds("ours", broker.port, data, model.folder / "root.json")
            ours.append(model.size / _MB / mine)
            assert _whole(data, model), "the bundle is not what was published"
            shutil.rmtree(data)
            raw = ("raw", broker.port, model.sha256, model.size, model.chunk)
            kept.append(model.size / _MB / _seconds(*raw, folder / "raw.part"))
            counted.append(model.size / _MB / _seconds(*raw))
            peaks.append(peak_mb(data, model, broker.port))
            shutil.rmtree(data)
            line = f"{ours[-1]:.0f} against {kept[-1]:.0f} and {counted[-1]:.0f} MB/s, {peaks[-1]:.1f} MB"
            print(f"round {number + 1}/{rounds}: {line}", file=sys.stderr)
    finally:
        broker.stop()
    budget = (_MOST_MB,) * rounds
    what = f"{model.size // _MB} MB"
    return [
        Figure(f"download of {what}, raw: to a file", "MB/s", tuple(ours), tuple(kept), _RATIO, "more"),
        Figure(f"download of {what}, raw: counted", "MB/s", tuple(ours), tuple(counted), _RATIO, "more"),
        Figure(f"updater's peak RSS, {what}, of {_MOST_MB:.0f} MB", "MB", tuple(peaks), budget, 1.0, "less"),
    ]


def peak_mb(data: Path, model: Published, port: int) -> float:
    """Give the peak RSS of the updater's process that fetches the model."""
    device = Device(data, model.fleet.root, port, fetched.FLEET)
    outcome, peak = device.update_in_a_process("det@1.0.0")
    assert outcome.verdict == "accepted", outcome.error
    return peak / _MB


def commands(model: Published, rate: int, rounds: int) -> list[Figure]:
    """Measure the slowest command of each round, on a link that nothing else uses but a download."""
    ours, other, budget = [], [], (_MOST_S,) * rounds
    for number in range(rounds):
        found = {}
        for which in ("ours", "raw"):
            command = [sys.executable, "-m", "bench.slow_link", which, str(rate), str(model.folder)]
            done = subprocess.run(
                ["unshare", "--net", *command], check=True, stdout=subprocess.PIPE, timeout=300
            )
            found[which] = max(json.loads(done.stdout))
            shutil.rmtree(model.folder / "data", ignore_errors=True)
        ours.append(found["ours"])
        other.append(found["raw"])
        line = f"{ours[-1]:.3f} against {other[-1]:.3f} s"
        print(f"commands {number + 1}/{rounds}: {line}", file=sys.stderr)
    link = f"slowest command, {rate >> 10} KB/s"
    return [
        Figure(f"{link}, of {_MOST_S} s", "s", tuple(ours), budget, 1.0, "less"),
        Figure(f"{link}, beside a raw download", "s", tuple(ours), tuple(other), 1.0, "less"),
    ]


def _seconds(*words: object) -> float:
    command = [sys.executable, "-m", "bench.fetched", *map(str, words)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=600).stdout)


def _whole(data: Path, model: Published) -> bool:
    [bundle] = (data / "bundles").iterdir()
    return hashlib.sha256((bundle / "det.tflite").read_bytes()).hexdigest() == model.sha256


if __name__ == "__main__":
    sys.exit(main())
