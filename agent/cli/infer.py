"""edge-agent infer: one model over some files, in a worker process; one JSON line an input."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from agent.config import Deadlines
from agent.errors import EXIT_FAILED, EXIT_OK, InputRejected
from agent.foreground import Foreground
from agent.workers.messages import LaneSpec

if TYPE_CHECKING:
    import argparse
    from contextlib import AbstractContextManager

    from agent.workers.messages import Record

HELP = "run a model on images or arrays"
DESCRIPTION = """\
Runs a .tflite file, a bundle's folder or a bundled model on every input, in a worker process: a model that
crashes the runtime costs that process, and the next input gets a new one. Prints one line an input; JSON when
the output is not a terminal. Inputs are pictures, .npy arrays, folders of these, or quoted globs."""
EPILOG = """\
examples:
  edge-agent infer glyphs picture.jpg                          a bundled model
  edge-agent infer mobilenet.tflite --task classification --labels names.txt photos/ --top 3
  edge-agent infer ssd.tflite --task detection --draw out/ 'street/*.jpg'
  edge-agent infer any.tflite --task tensor samples.npy        what do its outputs look like?

tasks: classification, detection (the four outputs of SSD), tensor (any output, summarised); a bundle knows
its own. An array of uint8 (height, width, 3) is an RGB picture; any other must have the input's shape.

exit codes: 0 every input was inferred, 1 one was not, 2 usage"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="MODEL", help="a .tflite file, a bundle's folder or a bundled model")
    parser.add_argument(
        "inputs", metavar="INPUT", nargs="+", help="a picture, an .npy file, a folder or a glob"
    )
    parser.add_argument(
        "--task", default="", metavar="T", help="what the outputs mean; the bundle's own if any"
    )
    parser.add_argument("--labels", default="", metavar="FILE", help="class names, one a line")
    parser.add_argument("--top", type=int, metavar="K", help="classification: how many classes to give")
    parser.add_argument("--min-score", type=float, metavar="S", help="leave out what scores less (0 to 1)")
    parser.add_argument("--draw", default="", metavar="DIR", help="write annotated pictures there")
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="threads of the runtime (default 1)"
    )
    parser.add_argument("--json", action="store_true", help="JSON lines on a terminal, too")


def main(arguments: argparse.Namespace) -> int:
    """Infer and print; give the exit code."""
    for name in arguments.inputs:
        if not Path(name).exists() and not any(sign in name for sign in "*?["):
            raise InputRejected("infer", name, "there is no such file", "Give files, folders or quoted globs")
    decoder = {"top_k": arguments.top, "min_score": arguments.min_score}
    spec = LaneSpec(
        pipeline="infer",
        model=arguments.model,
        task=arguments.task,
        labels=arguments.labels,
        decoder={key: value for key, value in decoder.items() if value is not None},
        backend_options={"threads": arguments.threads},
        source="images",
        source_options={"paths": arguments.inputs},
        once=True,
        draw=arguments.draw,
    )
    lane = Foreground(spec, Deadlines())
    as_json = arguments.json or not sys.stdout.isatty()
    bad = 0
    with _progress() as progress:
        for records in lane.run():
            for record in records:
                bad += record.kind == "failed"
                print(_json_line(record) if as_json else _line(record), flush=True)
            progress.advance(len(records))
    lost = lane.outcome.ledger.lost
    if lost:
        print(f"edge-agent: infer: {lost} inputs ended their worker and have no line", file=sys.stderr)
    return EXIT_FAILED if bad or lost else EXIT_OK


def _json_line(record: Record) -> str:
    line: dict[str, Any] = {"input": record.origin, "frame": record.frame, "kind": record.kind}
    if record.kind == "failed":
        line["error"] = record.items[0]["problem"]
    else:
        line["items"] = record.items
        line["infer_ms"] = record.infer_us / 1000
    return json.dumps(line)


def _line(record: Record) -> str:
    if record.kind == "failed":
        return f"{record.origin}: failed: {record.items[0]['problem']}"
    words = [_words(item) for item in record.items] or ["nothing found"]
    return f"{record.origin}: {', '.join(words)}  ({record.infer_us / 1000:.1f} ms)"


def _words(item: dict[str, Any]) -> str:
    if "label" in item and "score" in item:
        return f"{item['label']} {item['score']:.2f}"
    return " ".join(f"{key}={value}" for key, value in item.items())


class _Silent:
    """Progress where nobody watches."""

    def advance(self, count: int) -> None:
        """Say nothing."""


class _Bar:
    """Progress on a terminal, through rich."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("inferred"), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("inferred", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, count: int) -> None:
        """So many more are done."""
        self._progress.advance(self._task, count)


def _progress() -> AbstractContextManager[_Bar | _Silent]:
    if not sys.stderr.isatty():
        return nullcontext(_Silent())
    try:
        return _Bar()
    except ModuleNotFoundError:  # rich comes with the demo and fleet extras
        return nullcontext(_Silent())
