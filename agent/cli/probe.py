"""edge-agent probe: which board this is and why, and what each accelerator can do: the device passport."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agent.boards.matching import AUTO
from agent.cli.device import service
from agent.cli.device.settings import Loaded
from agent.cli.examining.passport import left_alone, passport_of
from agent.cli.setup.writing import write
from agent.errors import EXIT_OK
from agent.plan import secrets
from agent.probing import inspection
from agent.probing.picture import draw
from agent.probing.recognition import recognise
from agent.probing.trial import TrialSpec, try_out
from agent.probing.verdicts import judge

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from agent.boards.matching import Recognised
    from agent.probing.passport import DelegatePart

HELP = "show which board this is and what its accelerators can do"
DESCRIPTION = """\
Recognises the board and says by what, then tries each accelerator of its profile, and the CPU with and
without its fast kernels: looks whether it is there, opens it, loads a small model on it, runs that, and
compares the answers. Each try is a process of its own: a library that crashes or hangs costs that try.

What comes out is the device passport: a page worth pasting into an issue, or JSON with the same contents.
An accelerator that only one process may open is busy while the agent runs: stop it first."""
EPILOG = """\
examples:
  edge-agent probe
  edge-agent probe --config agent.toml      with its profile and its models
  edge-agent probe --all                    every accelerator that is known
  edge-agent probe --out passport.json      for the fleet's operator
  edge-agent probe --profile ./board.toml   a profile that you are writing

exit codes: 0 whatever was found, 1 the file cannot be written, 2 usage, 78 there is no such profile"""

_FALLBACK = "glyphs"
"""The bundled model that delegates run where no other fits: small, quantized, with golden answers."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", "-c", type=Path, metavar="FILE", help="take profile and models from it")
    parser.add_argument(
        "--profile", default="", metavar="NAME", help="a device profile's name or file; default: recognised"
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="MODEL",
        help="what delegates run: a bundle or a .tflite file; may be given more than once",
    )
    parser.add_argument("--all", action="store_true", help="try every accelerator that the agent knows")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="NAME",
        help="leave an accelerator of the profile unopened, since the agent uses it; may be repeated",
    )
    parser.add_argument("--serial", action="store_true", help="put the board's serial number in, too")
    parser.add_argument(
        "--unconfined", action="store_true", help="let what is tried reach whatever this user may"
    )
    parser.add_argument("--json", action="store_true", help="print the passport as JSON")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the passport there, as JSON")


def main(arguments: argparse.Namespace) -> int:
    """Probe, print and write; give the exit code."""
    found, models, hidden = _asked(arguments)
    tries = _tries(found, models, hidden, arguments)
    passport = passport_of(found, tries, serial=arguments.serial)
    if arguments.out:
        write(arguments.out, passport.text(), replace=True)
    if arguments.json:
        sys.stdout.write(passport.text())
    else:
        print(*draw(passport), sep="\n")
        if arguments.out:
            print(f"\nwritten   {arguments.out}")
    return EXIT_OK


def _asked(arguments: argparse.Namespace) -> tuple[Recognised, tuple[str, ...], tuple[str, ...]]:
    """Give the board, the models to choose from, and what stays hidden from what is tried."""
    models = [*map(_whole, arguments.model), *([] if arguments.model else [_FALLBACK])]
    wanted: str = arguments.profile
    if not arguments.config:
        return recognise(wanted or AUTO), tuple(models), ()
    service.look_as(arguments.config)
    loaded = Loaded(arguments.config)
    folder = loaded.path.resolve().parent
    models += [_whole(one.model, folder) for one in loaded.settings.pipelines if one.model]
    hidden = (loaded.data_folder, loaded.path.resolve(), *secrets(loaded.settings, folder))
    board = recognise(wanted) if wanted else loaded.board()
    return board, tuple(models), tuple(map(str, hidden))


def _whole(name: str, folder: Path | None = None) -> str:
    """Give a model's path as any process finds it; a bundled model's name stays."""
    path = (folder or Path()) / name
    return str(path.resolve()) if path.exists() else name


def _tries(
    found: Recognised, models: tuple[str, ...], hidden: tuple[str, ...], arguments: argparse.Namespace
) -> Iterator[DelegatePart]:
    """Try one accelerator after the other: some admit one process only."""
    confine = not arguments.unconfined
    for accelerator, named in inspection.entries(found.profile.delegates, everything=arguments.all):
        looked = inspection.inspect(accelerator, named=named)
        if accelerator.title in arguments.without:
            looked = left_alone(looked, "not tried: the running agent uses it")
        spec = TrialSpec(accelerator=accelerator, models=models, confine=confine, hidden=hidden)
        yield judge(looked, try_out(spec) if looked.presence.there else None)
