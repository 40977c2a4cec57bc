"""edge-agent snapshot: one frame or window of a source, as a file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from agent.cli.recording.taken import take_all
from agent.cli.recording.wanted import add_source, wanted
from agent.cli.terminal.numbers import number
from agent.errors import EXIT_FAILED, EXIT_OK, AgentError, InputRejected
from agent.recordings.reading import Reader
from agent.taking.orders import Orders

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from agent.recordings.documents import FrameNote
    from agent.taking.orders import Done

HELP = "take one frame or window of a source"
DESCRIPTION = """\
Opens a source in a process of its own, takes a frame of it, and writes that: a picture as PNG or JPEG, a
window of samples as .npy or CSV, by the name of the file. What the pipeline hides of its frames is hidden
before anything is written. A camera that the running agent has open must be given free first."""
EPILOG = """\
examples:
  edge-agent snapshot door --config agent.toml       a pipeline's source
  edge-agent snapshot /dev/video0 --out door.jpg     a camera
  edge-agent snapshot rtsp://192.0.2.20/stream1
  edge-agent snapshot camera:width=1280,height=720 --skip 10
  edge-agent snapshot 'hwmon:device=k10temp,channels=["temp1"],rate=1,window=5'
  edge-agent snapshot synthetic_sensor --out window.csv

exit codes: 0 taken, 1 the source gave none or fewer, 2 usage, 78 there is no such source"""

_OP = "take snapshot"
_MOST_BYTES = 512 << 20
"""All snapshots of a run are held in memory until they are written."""
_PICTURES, _NUMBERS = (".png", ".jpg", ".jpeg"), (".npy", ".csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_source(parser)
    parser.add_argument(
        "--out", "-o", type=Path, metavar="FILE", help="default: the source's name, here, with .png or .npy"
    )
    parser.add_argument(
        "--count", type=number(int, 1, 1000), default=1, metavar="N", help="so many, numbered; default 1"
    )
    parser.add_argument(
        "--skip",
        type=number(int, 0, 10_000),
        default=0,
        metavar="N",
        help="pass over the first frames: a camera that has just begun may be dark",
    )
    parser.add_argument(
        "--quality", type=number(int, 1, 100), default=90, metavar="Q", help="of JPEG; default 90"
    )
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def main(arguments: argparse.Namespace) -> int:
    """Take, write and print; give the exit code."""
    out: Path | None = arguments.out
    suffix = _suffix(out)
    source = wanted(arguments.source, arguments.config)
    orders = Orders(
        lane=source.lane,
        named=source.named,
        pictures="jpeg" if suffix in {".jpg", ".jpeg"} else "png",
        quality=arguments.quality,
        windows="csv" if suffix == ".csv" else "npy",
        skip=arguments.skip,
        frames=arguments.count,
        sound=True,
        most_bytes=_MOST_BYTES,
    )
    with os.fdopen(os.memfd_create("snapshots", os.MFD_CLOEXEC), "w+b") as memory:
        done = take_all(source, orders, memory.fileno(), "taking")
        target = out or Path(source.named or source.lane.source)
        written = list(_write(memory, target, suffix, arguments))
    if arguments.json:
        told: dict[str, Any] = {"source": source.lane.source, "files": written, "failed": done.failed}
        print(json.dumps(told))
    else:
        for one in written:
            print(f"{one['file']}: {one['bytes']} bytes")
    if len(written) < arguments.count:
        raise _fewer(source.lane.source, len(written), arguments.count, done)
    return EXIT_OK if written else EXIT_FAILED


def _suffix(out: Path | None) -> str:
    if out is None:
        return ""
    suffix = out.suffix.lower()
    if suffix not in _PICTURES + _NUMBERS or not str(out).isprintable():
        hint = "Name a .png or .jpg file for a picture, .npy or .csv for a window"
        raise InputRejected(_OP, ascii(str(out)), "its ending says no format", hint)
    return suffix


def _write(
    memory: BinaryIO, target: Path, suffix: str, arguments: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Write each frame to its file; give what was written."""
    reader = Reader(memory, "the frames")
    number = 0
    while (taken := reader.take()) is not None:
        if taken.data is None:
            continue
        note = taken.note
        _fits(note, suffix, target)
        path = target.with_suffix(suffix or note.suffix)
        if arguments.count > 1:
            number += 1
            path = path.with_name(f"{path.stem}-{number:04}{path.suffix}")
        data = reader.data(taken)
        _put(path, data, force=arguments.force)
        yield {
            "file": str(path),
            "seq": note.seq,
            "captured_ns": note.captured_ns,
            "bytes": len(data),
            "sha256": note.sha256,
        }


def _fits(note: FrameNote, suffix: str, target: Path) -> None:
    is_picture = note.suffix in _PICTURES
    if suffix and is_picture != (suffix in _PICTURES):
        gives, name = ("pictures", ".png or .jpg") if is_picture else ("numbers", ".npy or .csv")
        hint = f"Name a {name} file"
        raise InputRejected(_OP, str(target), f"its source gives {gives}, which {suffix} does not hold", hint)


def _put(path: Path, data: bytes, *, force: bool) -> None:
    """Write a file that only this user can read: what it shows may be private."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if force else os.O_EXCL)
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(data)
    except FileExistsError as error:
        hint = "Name another with --out, or replace it with --force"
        raise AgentError(_OP, str(path), "it is there already", hint) from error
    except OSError as error:
        hint = "Name a folder that is there and that you may write to"
        raise AgentError(_OP, str(path), (error.strerror or str(error)).lower(), hint) from error


def _fewer(source: str, got: int, wanted_: int, done: Done) -> AgentError:
    why = {
        "ended": f"it has ended: {done.remark}",
        "lost": done.remark,
        "size": f"more than {_MOST_BYTES >> 20} MB are not held in memory",
        "stopped": "it was stopped",
    }.get(done.why, "")
    why = done.problem if done.failed and not got else why or done.problem
    return AgentError(_OP, source, f"{got} of {wanted_} frames: {why}", "")
