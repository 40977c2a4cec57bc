"""edge-agent infer: one model over some input, in a worker process; one JSON line a frame."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from agent.cli.inferring import shared
from agent.cli.inferring.inputs import choose
from agent.cli.inferring.key_values import options_of, plugins_of, pre_for, speakable, stages_of
from agent.cli.terminal.numbers import number
from agent.cli.terminal.progress import progress
from agent.errors import EXIT_FAILED, EXIT_OK
from agent.wording import events_in_words, failure_in_words, in_words, plain
from agent.workers.record import Record
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from agent.ledger import Ledger

HELP = "run a model on pictures, arrays, a video or a camera"
DESCRIPTION = """\
Runs a .tflite file, a bundle's folder or a bundled model on every input, in a worker process: a model that
crashes the runtime costs that process, and the next input gets a new one. Prints one line a frame; JSON when
the output is not a terminal.

Inputs are pictures, .npy arrays, folders of these, or quoted globs; or one video file; or one camera, by its
device or its rtsp:// address; or one recording (.tar); or any other source, with --source; or -, JPEGs from
standard input. What has no end goes on until ^C or --frames. A value of KEY=VALUE that has commas is a list
(channels=["a","b"]) or stands in quotes."""
EPILOG = """\
examples:
  edge-agent infer glyphs picture.jpg                a bundled model
  edge-agent infer mobilenet.tflite --task classification \\
      --labels names.txt photos/ --top 3
  edge-agent infer ssd.tflite --task detection --draw out/ 'street/*.jpg'
  edge-agent infer vibration window.npy              does this machine shake?
  edge-agent infer vww.tflite --task classification \\
      --pre resize=crop,interpolation=area photo.jpg
  edge-agent infer any.tflite --task tensor a.npy    what are its outputs like?
  edge-agent infer glyphs /dev/video0 --frames 10    ten frames of a camera
  edge-agent infer glyphs --source synthetic:seed=7 --frames 5    any source
  edge-agent infer shapes gate.mp4 --gate motion     only where something moves
  ffmpeg -i x.mp4 -f mjpeg - | edge-agent infer glyphs -     what is piped in
  edge-agent infer micro_speech.tflite --features micro_speech \\
      --task keywords --labels words.txt --source wav:path=yes.wav,window=16000

tasks: classification, detection, pose, segmentation, embedding, image, keywords, anomaly, regression,
forecast, sequence (tokens generated), tensor (any output, summarised); a bundle knows its own, and
docs/tasks.md shows each. An array of uint8 (height, width, 3) is an RGB picture; any other must have the
input's shape.

exit codes: 0 every frame was inferred, 1 one was not, 2 usage"""
_LONGEST = 64 << 10
"""Characters of a line: a record has fewer; names of files can hold what moves a cursor."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="MODEL", help="a .tflite file, a bundle's folder or a bundled model")
    parser.add_argument(
        "inputs",
        metavar="INPUT",
        nargs="*",
        help="a picture, an .npy file, a folder or a glob; one video; one camera's device; -",
    )
    shared.add_source(parser)
    parser.add_argument(
        "--frames", type=number(int, 1, 1 << 53), default=0, metavar="N", help="stop after so many frames"
    )
    parser.add_argument(
        "--task", default="", metavar="T", help="what the outputs mean; the bundle's own if any"
    )
    parser.add_argument("--labels", default="", metavar="FILE", help="class names, one a line")
    _add_of_the_model(parser)
    _add_screening(parser)
    parser.add_argument(
        "--draw", default="", metavar="DIR", help="write a picture of each input and its result there"
    )
    _add_runtime(parser)
    parser.add_argument("--json", action="store_true", help="JSON lines on a terminal, too")


def _add_runtime(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runtime",
        choices=("auto", "ai-edge-litert", "tflite-runtime"),
        default="auto",
        help="what runs the model (default: the best that is installed and works)",
    )
    parser.add_argument(
        "--threads",
        type=number(int, 1, 16),
        default=1,
        metavar="N",
        help="threads of the runtime (default 1)",
    )


def _add_screening(parser: argparse.ArgumentParser) -> None:
    for option, what in (("--gate", "leave frames out before inference"), ("--filter", "work on results")):
        parser.add_argument(
            option,
            action="append",
            default=[],
            metavar="KIND[:KEY=VALUE,...]",
            help=f"{what}, as in a pipeline; may be given several times, in order",
        )
    parser.add_argument(
        "--stage",
        action="append",
        default=[],
        metavar="NAME:KEY=VALUE,...",
        help="a further model of each frame, or of crops of it, as in a pipeline; may be given several times",
    )


def _add_of_the_model(parser: argparse.ArgumentParser) -> None:
    """Declare what is said of the model's inputs and outputs."""
    shared.add_features(parser)
    parser.add_argument(
        "--pre",
        default="",
        metavar="KEY=VALUE,...",
        help="how a picture becomes the input, for a model that is no bundle: resize, mean, std, ...",
    )
    parser.add_argument(
        "--decoder",
        default="",
        metavar="KEY=VALUE,...",
        help="options of the task's decoder, such as head=yolov8; the options below go over them",
    )
    parser.add_argument(
        "--top", type=number(int, 1, 100), metavar="K", help="classification: how many classes to give"
    )
    parser.add_argument(
        "--min-score", type=number(float, 0, 1), metavar="S", help="leave out what scores less (0 to 1)"
    )
    parser.add_argument(
        "--threshold",
        type=number(float, 0, sys.float_info.max),
        metavar="E",
        help="anomaly: the error from which on an input is one",
    )


def main(arguments: argparse.Namespace) -> int:
    """Infer and print; give the exit code."""
    for name in (arguments.model, arguments.labels, arguments.draw):
        speakable(name)
    inputs = choose(arguments.inputs, arguments.source)
    decoder = {
        "top_k": arguments.top,
        "min_score": arguments.min_score,
        "threshold": arguments.threshold,
    }
    spec = LaneSpec(
        pipeline="infer",
        model=arguments.model,
        task=arguments.task,
        labels=arguments.labels,
        pre=pre_for(arguments.model, arguments.features, arguments.pre),
        decoder=options_of(arguments.decoder, "--decoder")
        | {key: value for key, value in decoder.items() if value is not None},
        backend_options={"threads": arguments.threads, "runtime": arguments.runtime},
        source=inputs.source,
        source_options=inputs.options,
        limit=arguments.frames,
        once=True,
        draw=arguments.draw,
        gates=plugins_of(arguments.gate, "gates"),
        stages=stages_of(arguments.stage),
        filters=plugins_of(arguments.filter, "filters"),
    )
    show = _json_line if arguments.json or not sys.stdout.isatty() else _line
    left = dict(enumerate(inputs.files[: arguments.frames or None]))
    bad = 0
    lane = shared.lane(spec)
    try:
        with progress("inferring", len(left), sharing=sys.stdout.isatty() or not left) as bar:
            for records in lane.run():
                for record in records:
                    left.pop(record.frame, None)
                    bad += record.kind == "failed"
                    print(show(record), flush=True)
                bar.advance(len(records))
    except KeyboardInterrupt:
        if inputs.files:  # what has no end of its own is ended by hand: no failure
            raise
    bad += _account(left, lane.outcome.ledger, show)
    return EXIT_FAILED if bad else EXIT_OK


def _account(left: Mapping[int, str], ledger: Ledger, show: Callable[[Record], str]) -> int:
    """Say what became of the inputs that have no line yet; give how many are lost: every worker died of them.

    What gates and filters leave out has no line, and is no failure. Which ones these are is not known here.
    """
    accounts = {"gated": ledger.gated, **{f"filtered {name}": n for name, n in ledger.filtered.items()}}
    held = ", ".join(f"{count} {account}" for account, count in accounts.items() if count)
    if held:
        print(f"edge-agent: no line of {held}, of {ledger.captured} frames", file=sys.stderr)
        lost = max(0, len(left) - sum(accounts.values()))
        if lost:
            print(f"edge-agent: {lost} more ended the process that inferred them", file=sys.stderr)
        return lost
    for frame, name in left.items():
        print(show(_lost(frame, name)), flush=True)
    return len(left)


def _lost(frame: int, name: str) -> Record:
    """Make the line of an input that every worker died of."""
    why = {"reason": "crash", "problem": f"infer {name}: it ends the process that infers it", "hint": ""}
    return Record(frame=frame, captured_ns=0, kind="failed", items=[why], origin=name)


def _json_line(record: Record) -> str:
    line: dict[str, Any] = {"input": record.origin, "frame": record.frame, "kind": record.kind}
    if record.kind == "failed":
        line["error"] = failure_in_words(record.items)
    else:
        line["items"] = record.items
        line |= {"events": record.events} if record.events else {}
        line |= {"also": record.also} if record.also else {}
        line["infer_ms"] = record.infer_us / 1000
    return json.dumps(line)


def _line(record: Record) -> str:
    if record.kind == "failed":
        return plain(f"{_name(record)}: failed: {failure_in_words(record.items)}", _LONGEST)
    words = in_words(record.items) + events_in_words(record.events)
    return plain(f"{_name(record)}: {words}  ({record.infer_us / 1000:.1f} ms)", _LONGEST)


def _name(record: Record) -> str:
    """What to call a frame: its file, else its number."""
    return record.origin or f"frame {record.frame}"
