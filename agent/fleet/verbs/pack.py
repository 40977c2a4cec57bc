"""edgectl pack: what the command line says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.fleet.verbs._options import AsJson  # noqa: TC001 - typer reads the annotations

_HELP = """\
Make a bundle of a model, which edgectl publish then signs.

Reads the tensors from the file, runs the model on the golden inputs and records its answers, measures what an
inference costs, and refuses what would fail on a device: labels that are not as many as the classes, outputs
that the task cannot read, golden answers that are not the same every time. The model runs in a process of its
own. What m.toml holds is explained in docs/howto/ship-a-model.md.

\b
examples:
  edgectl pack gate.tflite --manifest m.toml
  edgectl pack gate.tflite --manifest m.toml --out bundles/gate-1.2 \\
      --variant edgetpu=gate_edgetpu.tflite

\b
exit codes: 0 packed, 1 the model or a file is wrong, 2 usage,
78 m.toml or an option must be changed first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(pack)


def pack(
    model: Annotated[Path, typer.Argument(help="The .tflite file, for any CPU.", metavar="MODEL")],
    *,
    manifest: Annotated[Path, typer.Option(help="What you say of it.", metavar="FILE")] = Path("m.toml"),
    out: Annotated[
        Path | None, typer.Option(help="The bundle's folder; NAME-VERSION if left out.", metavar="DIR")
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="The same model for an accelerator; may be repeated.", metavar="DELEGATE=FILE"),
    ] = None,
    chunk: Annotated[
        int, typer.Option(help="Bytes of the chunks that files travel in.", min=1024, max=1 << 20)
    ] = 127 << 10,
    allow_float: Annotated[
        bool, typer.Option("--allow-float", help="Take a model that is not quantized.")
    ] = False,
    allow_unproven: Annotated[
        bool, typer.Option("--allow-unproven", help="Take one without golden inputs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a bundle."""
    from agent.fleet.packing import shown
    from agent.fleet.packing.pack import Options, pack
    from agent.fleet.progress import steps

    options = Options(model, manifest, out, tuple(variant or ()), chunk, allow_float, allow_unproven)
    with steps("trying the model") as on_step:
        packed = pack(options, on_step)
    print(shown.as_json(packed) if as_json else shown.table(packed))
