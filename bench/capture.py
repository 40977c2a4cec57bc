"""One file that is decoded for four pipelines, against the same file decoded for one.

    python -m bench.capture [--rounds N] [--frames N] [--quick] [--json]

The bench draws a 720p file (H.264 where OpenCV or PyAV can write it, else MPEG-4) and reads it twice a round,
in turns: by one process, as a pipeline's worker does; and by a capture process for four readers, each a
process of its own, which get every frame through the ring. What counts is CPU time for a frame: the decoding
process with all its threads, and on the other side the capture process and all four readers together.
Neither starting nor opening counts, and nobody does anything with the pixels.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.capture.client import Remote
from agent.capture.feed import Feed
from agent.capture.spec import CaptureSpec
from agent.errors import SourceEnded
from agent.feeding.process import CaptureProcess
from agent.sources import video
from bench.figures import Figure, report

if TYPE_CHECKING:
    from agent.types import Array, Source

_READERS = 4
_SIZE = (1280, 720)
_TARGET = 1.3


def draw(path: Path, frames: int) -> str:
    """Make the file: a textured ground that moves, and noise; give its codec."""
    writer, codec = _writer(path)
    noise = np.random.default_rng(7)
    ground = cv2.resize(noise.integers(0, 255, (90, 160, 3), np.uint8), (2560, 1440))
    grain = noise.normal(0, 4, (4, 720, 1280, 1)).astype(np.int16)
    for number in range(frames):
        x, y = (3 * number) % 1200, (2 * number) % 700
        picture = ground[y : y + 720, x : x + 1280].astype(np.int16) + grain[number % 4]
        writer.write(np.clip(picture, 0, 255).astype(np.uint8))
    writer.release()
    return codec


class _H264:
    """Writes H.264 with PyAV, where that is installed; the same two methods as OpenCV's."""

    def __init__(self, path: Path) -> None:
        av = importlib.import_module("av")
        self._frame = av.VideoFrame.from_ndarray
        self._file = av.open(str(path), "w")
        self._stream = self._file.add_stream("libx264", rate=25, options={"preset": "veryfast"})
        self._stream.width, self._stream.height = _SIZE
        self._stream.pix_fmt = "yuv420p"

    def write(self, picture: Array) -> None:
        self._file.mux(self._stream.encode(self._frame(picture, "bgr24")))

    def release(self) -> None:
        self._file.mux(self._stream.encode(None))
        self._file.close()


def _writer(path: Path) -> tuple[_H264 | cv2.VideoWriter, str]:
    """Give what writes the file, and the codec."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"avc1"), 25, _SIZE)
    if writer.isOpened():
        return writer, "H.264"
    try:
        return _H264(path), "H.264"
    except ImportError:
        return cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, _SIZE), "MPEG-4"


def read_alone(path: str) -> None:
    """Decode the file as a worker does; print CPU seconds and frames, without the first."""
    cv2.setNumThreads(1)
    source = video.build(video.Options(path=path), start=0)
    source.read(10)
    _read_on(source)


def read_shared(fd: int) -> None:
    """Read all frames from a capture process; print CPU seconds and frames, without the first."""
    feed = Feed()
    feed.lend(fd)
    source = Remote("file", feed, lambda _phase: None, threading.Event()).open(0)
    while source.read(10) is None:
        pass
    _read_on(source)


def _read_on(source: Source) -> None:
    """Read to the end; print CPU seconds and frames."""
    began, count = time.process_time(), 0
    while True:
        try:
            count += source.read(10) is not None
        except SourceEnded:
            break
    print(json.dumps([time.process_time() - began, count]))


def _run(*arguments: str, fds: tuple[int, ...] = ()) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.capture", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=fds)


def _result(process: subprocess.Popen[str]) -> tuple[float, int]:
    text, _ = process.communicate(timeout=600)
    seconds, count = json.loads(text)
    return seconds, count


def alone(path: Path) -> float:
    """Give CPU milliseconds a frame of one process that decodes the file."""
    seconds, count = _result(_run("--alone", str(path)))
    return seconds / count * 1000


def _await(process: CaptureProcess, type_: str) -> None:
    """Wait until a capture process has said something."""
    while True:
        select.select([process.channel], [], [], 60)
        packet = process.channel.receive()
        if not packet:
            sys.exit("the capture process is gone")
        if json.loads(packet)["type"] == type_:
            return


def shared(path: Path) -> tuple[float, float]:
    """Give CPU milliseconds a frame of a capture process, and of its four readers together."""
    names = tuple(f"reader{number}" for number in range(_READERS))
    spec = CaptureSpec(source="file", kind="video", options={"path": str(path)}, pipelines=names)
    process = CaptureProcess(spec.model_dump_json().encode())
    try:
        readers = []
        for name in names:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with ours, theirs:
                process.tell({"type": "connect", "pipeline": name}, [theirs.fileno()])
                readers.append(_run("--reader", str(ours.fileno()), fds=(ours.fileno(),)))
        _await(process, "opened")
        began = process.usage.cpu_seconds() or 0.0
        _await(process, "ended")
        seconds = (process.usage.cpu_seconds() or 0.0) - began
        found = [_result(one) for one in readers]
        count = found[0][1] + 1
        if any(one[1] != found[0][1] for one in found):
            sys.exit(f"the readers had different numbers of frames: {found}")
        return seconds / count * 1000, sum(one[0] for one in found) / (count - 1) * 1000
    finally:
        process.tell({"type": "stop"})
        while process.exit_code() is None:
            time.sleep(0.01)
        process.close()


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--quick", action="store_true", help="2 rounds of 150 frames: a look, no proof")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--alone", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--reader", type=int, metavar="FD", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        read_alone(given.alone)
        return 0
    if given.reader is not None:
        read_shared(given.reader)
        return 0
    rounds, frames = (2, 150) if given.quick else (given.rounds, given.frames)
    ours, other, parts = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file.mp4")
        codec = draw(path, frames)
        for number in range(rounds):
            for side in ("alone", "shared") if number % 2 else ("shared", "alone"):
                if side == "alone":
                    other.append(alone(path))
                else:
                    parts.append(shared(path))
                    ours.append(sum(parts[-1]))
    process, readers = (sorted(one)[rounds // 2] for one in zip(*parts, strict=True))
    print(
        f"{codec}: capture process {process:.2f} ms, four readers {readers:.2f} ms a frame; load"
        f" {os.getloadavg()[0]:.1f}",
        file=sys.stderr,
    )
    name = f"720p {codec} for four pipelines, against for one"
    return report([Figure(name, "ms CPU", tuple(ours), tuple(other), _TARGET, "less")], as_json=given.json)


if __name__ == "__main__":
    sys.exit(main())
