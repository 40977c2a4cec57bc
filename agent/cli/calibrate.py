"""edge-agent calibrate: the threshold of an anomaly model, from inputs that are known to be normal."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from agent.cli.inferring import shared
from agent.cli.inferring.calibration import Calibration, calibrate, error_of
from agent.cli.inferring.inputs import choose
from agent.cli.inferring.key_values import pre_for, speakable
from agent.cli.terminal.numbers import number
from agent.cli.terminal.progress import progress
from agent.errors import EXIT_FAILED, EXIT_OK, InputRejected
from agent.wording import failure_in_words, plain
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    import argparse

HELP = "find an anomaly model's threshold from normal inputs"
DESCRIPTION = """\
Runs an anomaly model over inputs that are known to be normal, and prints how large its errors are and which
threshold that suggests: by default the one that 99 % of the errors stay below. It is the threshold for the
machine, the place and the sensor that the inputs came from, and as good as they are many and different: try
it on normal inputs that were not among them, too, before you rely on it."""
EPILOG = """\
examples:
  edge-agent calibrate vibration normal/           windows in .npy files
  edge-agent calibrate pump.tflite \\
      --source wav:path=normal.wav,window=3072,hop=512 \\
      --features log_mel:rate=16000,frame=1024,hop=512,bands=128
  edge-agent calibrate vibration --frames 500 \\
      --source synthetic_sensor:speed=0,faults=0   any source

exit codes: 0 every input was inferred, 1 one was not, or there is no threshold, 2 usage"""

_LONGEST = 4000
_MOST = 1_000_000
"""Errors that are kept: the first of them, of a source without an end."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="MODEL", help="a .tflite file, a bundle's folder or a bundled model")
    parser.add_argument(
        "inputs", metavar="INPUT", nargs="*", help="an .npy file, a picture, a folder or a glob; one video; -"
    )
    shared.add_source(parser)
    parser.add_argument(
        "--frames", type=number(int, 1, _MOST), default=0, metavar="N", help="stop after so many frames"
    )
    shared.add_features(parser)
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--quantile",
        type=number(float, 0.5, 1),
        default=0.99,
        metavar="Q",
        help="the share of the errors below the threshold (default 0.99)",
    )
    way.add_argument(
        "--sigma",
        type=number(float, 0, 1000),
        metavar="K",
        help="in place of --quantile: the mean and K standard deviations",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def main(arguments: argparse.Namespace) -> int:
    """Run the model, and print; give the exit code."""
    speakable(arguments.model)
    inputs = choose(arguments.inputs, arguments.source)
    spec = LaneSpec(
        pipeline="calibrate",
        model=arguments.model,
        task="anomaly",
        decoder={"threshold": 1.0},  # which the error does not depend on
        pre=pre_for(arguments.model, arguments.features),
        source=inputs.source,
        source_options=inputs.options,
        limit=arguments.frames or _MOST,
        once=True,
    )
    errors, failed = _errors(spec, len(inputs.files))
    if not errors:
        hint = "Give it windows as the model takes them: edge-agent infer shows what is wrong with each"
        raise InputRejected("calibrate", arguments.model, "no input was inferred", hint)
    found = calibrate(errors, arguments.quantile, arguments.sigma)
    if found.threshold <= 0:
        problem = f"a threshold of {found.threshold:g} is none: the errors of these inputs are all 0"
        raise InputRejected("calibrate", arguments.model, problem, "Give it more inputs")
    if arguments.json:
        print(json.dumps({**asdict(found), "failed": failed}))
    else:
        print("\n".join(_lines(found, failed, arguments)))
    return EXIT_FAILED if failed else EXIT_OK


def _errors(spec: LaneSpec, total: int) -> tuple[list[float], int]:
    """Run it; give each input's error, and how many inputs failed. ^C ends what has no end of its own."""
    errors: list[float] = []
    failed = 0
    try:
        with progress("calibrating", total, sharing=not total) as bar:
            for records in shared.lane(spec).run():
                for record in records:
                    error = None if record.kind == "failed" else error_of(record.items)
                    if error is None:
                        failed += 1
                        why = failure_in_words(record.items) or "its worker gives no error of it"
                        print(plain(f"{record.origin or record.frame}: {why}", _LONGEST), file=sys.stderr)
                    else:
                        errors.append(error)
                bar.advance(len(records))
    except KeyboardInterrupt:
        if total:
            raise
    return errors, failed


def _lines(found: Calibration, failed: int, arguments: argparse.Namespace) -> list[str]:
    names = ("mean", "std", "p50", "p95", "p99", "max")
    lines = [f"inputs  {found.count}" + (f", and {failed} that failed" if failed else "")]
    lines += [f"{name:<6}  {getattr(found, name):.6g}" for name in names]
    if arguments.sigma is None and found.count * (1 - arguments.quantile) < 1:
        lines.append(
            f"so few inputs say little of the {arguments.quantile:g} quantile: it is near the largest error"
        )
    return [
        *lines,
        "",
        f"decoder = {{ threshold = {found.threshold:g} }}  # of these inputs, {found.above} reach it",
    ]
