"""edgectl quantize: what the command line says."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from agent.fleet.verbs._options import AsJson  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from agent.manifest import Pre

_HELP = """\
Make an int8 model of one that computes in real numbers.

Ranges are taken from the inputs in a folder, pictures or .npy files that are like the device's own, through
the agent's own preprocessing. Each fifth of them is held out: on these both models are compared. Where
subfolders are named as the classes, it also tells how many each has right. Needs the extra quantize.

\b
examples:
  edgectl quantize gate.tflite --calibration pictures
  edgectl quantize gate.tflite --calibration pictures --labels labels.txt \\
      --mean 127.5 --std 127.5 --out gate_int8.tflite

\b
exit codes: 0 done, 1 the model or an input is wrong, or the extra is missing,
2 usage, 78 an option must be changed first
"""


class Color(StrEnum):
    """The order of a picture's channels."""

    RGB = "rgb"
    BGR = "bgr"
    GRAY = "gray"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(quantize)


def quantize(
    model: Annotated[Path, typer.Argument(help="The .tflite file.", metavar="MODEL")],
    *,
    calibration: Annotated[Path, typer.Option(help="The folder of inputs.", metavar="DIR")],
    out: Annotated[
        Path | None, typer.Option(help="The new file; MODEL_int8.tflite if left out.", metavar="FILE")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Class names, one a line, if not in the model.", metavar="FILE")
    ] = None,
    color: Annotated[Color, typer.Option(help="The order of channels that the model wants.")] = Color.RGB,
    mean: Annotated[
        list[float] | None, typer.Option(help="Pixel x means (x - mean) / std; once, or per channel.")
    ] = None,
    std: Annotated[list[float] | None, typer.Option(help="See --mean.")] = None,
    as_json: AsJson = False,
) -> None:
    """Quantize."""
    from agent.fleet.packing import shown
    from agent.fleet.packing.quantize import Options, quantize
    from agent.fleet.progress import steps

    options = Options(model, calibration, out, labels, _pre(color, mean, std))
    with steps("quantizing") as on_step:
        made = quantize(options, on_step)
    print(shown.quantized_json(made) if as_json else shown.quantized(made))


def _pre(color: Color, mean: list[float] | None, std: list[float] | None) -> Pre:
    from pydantic import ValidationError

    from agent.errors import ConfigInvalid
    from agent.manifest import Pre
    from agent.validation import first_problem

    try:
        return Pre(color=color.value, mean=tuple(mean) if mean else None, std=tuple(std) if std else None)
    except ValidationError as error:
        raise ConfigInvalid(
            "read", "--mean, --std", first_problem(error), "See edgectl quantize --help"
        ) from error
