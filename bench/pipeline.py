"""The whole agent, store and sync on, against the plain loop over the same file: frames/s and CPU per frame.

    python -m bench.pipeline [--models DIR] [--frames N] [--rounds N] [--quick] [--json]

Rates are taken between the first frame's capture and the last, CPU from one second (at most a quarter) later
on; the agent's CPU is that of supervisor and worker. Broker and collector run on the same cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agent import resources
from agent.demo.broker import Broker
from agent.fleet.keys import make_keys
from bench.collected import await_collector, stamps_of
from bench.cpu import CpuSampler
from bench.figures import Figure, report
from bench.film import film

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

_CASES = {
    "mobilenet_v2_1.0_224_quant": 0.95,
    "mobilenet_v1_0.25_128_quant": 1.0,
}
_CPU_TARGET = 1.15
_SETTLE_NS = 1_000_000_000
_CONFIG = """\
[device]
id = "bench"
[log]
level = "warning"
[mqtt]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"
fleet = "bench"
[trust]
device_key = "{folder}/keys/devices/bench.key"
collector_key = "{folder}/keys/collector.pub"
[store]
path = "{folder}/data"
[[pipelines]]
name = "video"
model = "{model}"
task = "classification"
source = {{ kind = "video", path = "{video}" }}
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One pass over the file."""

    frames: int
    fps: float
    cpu_ms: float


def main() -> int:
    """Measure and print; give the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path(__file__).parents[2] / "shared" / "models")
    parser.add_argument("--frames", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--codec", default="mp4v", help="FourCC of the file (mp4v, MJPG)")
    parser.add_argument("--only", help="one model, by the beginning of its name")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 1,500 frames: a look, no proof")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    frames, rounds = (1500, 3) if arguments.quick else (arguments.frames, arguments.rounds)
    cases = {arguments.models / f"{name}.tflite": target for name, target in _CASES.items()}
    cases = {path: t for path, t in cases.items() if path.exists()} or {_bundled(): 1.0}
    if arguments.only:
        cases = {path: t for path, t in cases.items() if path.name.startswith(arguments.only)}
    figures = []
    with tempfile.TemporaryDirectory() as name, _services(Path(name)) as config:
        video = _video(Path(name), frames, arguments.codec)
        for model, target in cases.items():
            ours, other = [], []
            for number in range(rounds):
                ours.append(_agent(Path(name), config.format(model=model, video=video, folder=name), frames))
                other.append(_plain(Path(name), video, model, frames))
                _say(f"{model.stem} round {number + 1}/{rounds}: {ours[-1]} against {other[-1]}")
            figures += _figures(model.stem, target, ours, other)
    return report(figures, as_json=arguments.json)


def _bundled() -> Path:
    return resources.bundled_models()["glyphs"] / "glyphs.tflite"


def _figures(name: str, target: float, ours: list[Run], other: list[Run]) -> list[Figure]:
    fps = (tuple(run.fps for run in ours), tuple(run.fps for run in other))
    cpu = (tuple(run.cpu_ms for run in ours), tuple(run.cpu_ms for run in other))
    return [
        Figure(f"{name}: rate", "frames/s", *fps, target, "more"),
        Figure(f"{name}: CPU", "ms/frame", *cpu, _CPU_TARGET, "less"),
    ]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _video(folder: Path, frames: int, codec: str) -> Path:
    _say(f"writing {frames} frames of 640x480 ...")
    return film(folder / ("video.avi" if codec == "MJPG" else "video.mp4"), frames, codec=codec)


@contextmanager
def _services(folder: Path) -> Iterator[str]:
    """Run a broker and a collector; give the agent's configuration, to be filled in."""
    broker = Broker(folder / "broker")
    broker.start()
    where = [
        "--host",
        "127.0.0.1",
        "--port",
        str(broker.port),
        "--fleet",
        "bench",
        "--protocol",
        broker.protocol,
    ]
    make_keys(folder / "keys", ["bench"])
    to = ["--to", f"sqlite:///{folder}/fleet.db", "--json", "--keys", str(folder / "keys")]
    collector = subprocess.Popen(
        [sys.executable, "-m", "agent.fleet.main", "collect", *where, *to], stdout=subprocess.PIPE
    )
    try:
        await_collector(collector)
        filled = _CONFIG.replace("{port}", str(broker.port)).replace("{protocol}", broker.protocol)
        yield filled
    finally:
        collector.terminate()
        collector.communicate(timeout=20)
        broker.stop()


def _agent(folder: Path, config: str, frames: int) -> Run:
    path = folder / "agent.toml"
    path.write_text(config, encoding="utf-8")
    command = [sys.executable, "-m", "agent.cli.main", "run", "--config", str(path), "--exit-when-ended"]
    process = subprocess.Popen(command)
    with CpuSampler(process.pid) as cpu:
        code = process.wait(600)
    assert code == 0, f"the agent ended with {code}"
    return _measure(stamps_of(folder, frames), cpu)


def _plain(folder: Path, video: Path, model: Path, frames: int) -> Run:
    out = folder / "plain.npy"
    process = subprocess.Popen([sys.executable, "-m", "bench.plain_loop", str(video), str(model), str(out)])
    with CpuSampler(process.pid) as cpu:
        code = process.wait(600)
    assert code == 0
    stamps = np.load(out)
    assert len(stamps) == frames + 1, f"the plain loop read {len(stamps) - 1} of {frames} frames"
    return _measure(stamps[:-1], cpu)


def _measure(stamps: npt.NDArray[np.int64], cpu: CpuSampler) -> Run:
    """Rates from the capture times; CPU after the first second, when everything is warm."""
    first, last = int(stamps[0]), int(stamps[-1])
    begin = int(np.searchsorted(stamps, first + min(_SETTLE_NS, (last - first) // 4)))
    spent = cpu.between(int(stamps[begin]), last)
    worked = len(stamps) - 1 - begin
    fps = (len(stamps) - 1) / (last - first) * 1e9
    return Run(len(stamps), round(fps, 1), round(1000 * spent / worked, 4))


if __name__ == "__main__":
    sys.exit(main())
