"""edge-agent record: frames of a source into one file, with what a model says of each."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.recording import recorded, reference
from agent.cli.recording.taken import take_all
from agent.cli.recording.wanted import add_source, wanted
from agent.cli.terminal.numbers import number
from agent.errors import EXIT_FAILED, EXIT_OK, AgentError, DiskFull, InputRejected
from agent.taking.orders import Orders
from agent.wording import plain

if TYPE_CHECKING:
    import argparse

    from agent.cli.recording.reference import Judged
    from agent.cli.recording.wanted import Wanted
    from agent.taking.orders import Done

HELP = "record a source, and what a model says of it"
DESCRIPTION = """\
Takes frames of a source, in a process of its own, into one file: a tar archive of pictures and arrays that
any tool opens, with their digests. Pictures are written without loss, unless --jpeg is given. What the
pipeline hides is hidden before anything is written. What was recorded before a crash or ^C can be read.

Where a pipeline or a model is named, the model then runs over the recorded frames on the CPU, and its results
stand in the recording: `edge-agent replay` compares with them."""
EPILOG = """\
examples:
  edge-agent record door --config agent.toml --seconds 60 --out incident.tar
  edge-agent record camera --frames 100 --jpeg 90 --out yard.tar
  edge-agent record synthetic --frames 20 --model glyphs --out g.tar
  tar xf incident.tar                     what is in it

exit codes: 0 recorded, 1 the source or the disk failed, 2 usage, 78 there is no such source"""

_LONGEST = 4000
_OP = "record"
_SECONDS = 10.0
_GIB = 1 << 30
_ENDINGS = {
    "enough": "",
    "time": "",
    "size": "the bound on its size is reached (--max-mb)",
    "stopped": "it was stopped",
    "ended": "its source has ended",
    "lost": "its source was lost",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_source(parser)
    parser.add_argument("--out", "-o", type=Path, required=True, metavar="FILE", help="the recording")
    parser.add_argument(
        "--seconds", type=number(float, 0.1, 86_400), metavar="S", help="for so long; default 10"
    )
    parser.add_argument("--frames", type=number(int, 1, 1 << 20), metavar="N", help="so many frames")
    parser.add_argument(
        "--max-mb", type=number(int, 1, 65_536), default=1024, metavar="MB", help="the most; default 1024"
    )
    parser.add_argument(
        "--jpeg", type=number(int, 1, 100), metavar="Q", help="write pictures as JPEG of this quality"
    )
    parser.add_argument(
        "--skip", type=number(int, 0, 10_000), default=0, metavar="N", help="pass over the first frames"
    )
    parser.add_argument("--pipeline", default="", metavar="NAME", help="whose results; default: the source's")
    reference.add_model(parser)
    parser.add_argument(
        "--tolerance",
        type=number(float, 0, 1e9),
        metavar="D",
        help="what numbers may be off by elsewhere; default: the bundle's",
    )
    parser.add_argument("--no-results", action="store_true", help="record frames alone")
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def main(arguments: argparse.Namespace) -> int:
    """Record, run the model and print; give the exit code."""
    out: Path = arguments.out
    source = wanted(arguments.source, arguments.config, arguments.pipeline)
    lane = None if arguments.no_results else reference.lane(arguments, source.serving())
    if lane is not None:
        tolerance = reference.tolerance_of(lane) if arguments.tolerance is None else arguments.tolerance
    elif source.pipeline and not arguments.no_results:
        hint = "Name one with --model, or record frames alone with --no-results"
        raise InputRejected(_OP, source.pipeline.pipeline, "this pipeline has no model yet", hint)
    done = _record(source, arguments, out)
    judged = None
    if lane is not None and done.frames:
        judged = reference.judge(lane, out, done.frames, "inferring")
        outcomes = (one for _, one in sorted(judged.outcomes.items()))
        recorded.write_results(out, judged.results(tolerance), outcomes)
    _print(out, done, judged, as_json=arguments.json)
    if done.why == "lost":
        raise AgentError(_OP, source.lane.source, done.remark, f"{out} holds what came before")
    if not done.frames:
        raise AgentError(_OP, source.lane.source, "it gave no frame", "Look at it: edge-agent snapshot")
    return EXIT_FAILED if done.failed == done.frames else EXIT_OK


def _record(source: Wanted, arguments: argparse.Namespace, out: Path) -> Done:
    """Take the frames; a file without any frame is not left behind."""
    unbounded = arguments.frames is None and arguments.seconds is None
    orders = Orders(
        lane=source.lane,
        named=source.named,
        pictures="png" if arguments.jpeg is None else "jpeg",
        quality=arguments.jpeg or 90,
        skip=arguments.skip,
        frames=arguments.frames or 0,
        seconds=_SECONDS if unbounded else arguments.seconds or 0.0,
        most_bytes=arguments.max_mb << 20,
    )
    descriptor = _create(out, force=arguments.force)
    try:
        done = take_all(source, orders, descriptor, "recording")
        os.fsync(descriptor)
    except AgentError:
        _drop_if_empty(out)
        raise
    except OSError as error:
        problem = (error.strerror or str(error)).lower()
        raise DiskFull(_OP, str(out), problem, "Make room; what was recorded so far can be read") from error
    finally:
        os.close(descriptor)
    return done


def _create(out: Path, *, force: bool) -> int:
    """Open the file, which only this user can read: what it shows may be private."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (0 if force else os.O_EXCL)
    try:
        return os.open(out, flags, 0o600)
    except FileExistsError as error:
        hint = "Name another with --out, or replace it with --force"
        raise AgentError(_OP, str(out), "it is there already", hint) from error
    except (OSError, ValueError) as error:
        problem = (getattr(error, "strerror", None) or str(error)).lower()
        hint = "Name a folder that is there and that you may write to"
        raise AgentError(_OP, ascii(str(out)), problem, hint) from error


def _drop_if_empty(out: Path) -> None:
    """Remove a file without any frame; what was there before, and was not begun to be replaced, stays."""
    try:
        empty = not out.stat().st_size or not recorded.look(out).frames
    except (AgentError, OSError):
        return  # it is no recording: somebody else's file, or gone
    if empty:
        out.unlink()


def _print(out: Path, done: Done, judged: Judged | None, *, as_json: bool) -> None:
    if as_json:
        told: dict[str, Any] = {"file": str(out), **done.model_dump(exclude={"type"})}
        told["results"] = judged.results(0.0).model_dump(exclude={"tolerance"}) if judged else None
        print(json.dumps(told))
        return
    rate = f", {(done.frames - 1) / done.seconds:.1f} a second" if done.seconds and done.frames > 1 else ""
    how = f"; {_ENDINGS[done.why]}" if _ENDINGS[done.why] else ""
    print(f"{out}: {done.frames} frames in {done.seconds:.1f} s{rate}, {done.bytes / 1e6:.1f} MB{how}")
    if done.dropped:
        print(f"{done.dropped} more were dropped, as they came faster than they could be written: try --jpeg")
    if done.failed:
        print(plain(f"{done.failed} of them failed; the last: {done.problem}", _LONGEST))
    if judged is not None:
        model = judged.ready
        print(f"results of {model.model} on {model.delegate}, {model.runtime}: edge-agent replay {out}")
