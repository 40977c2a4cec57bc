"""edge-agent probe: which board this is and why, and what each accelerator can do: the device passport."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.boards.matching import AUTO
from agent.cli.device import service
from agent.cli.device.settings import Loaded
from agent.cli.examining.runtime import runtime_in_use
from agent.cli.init import write
from agent.cli.version import versions
from agent.errors import EXIT_OK, ExtraMissing
from agent.plan import secrets
from agent.probing import inspection, survey
from agent.probing.machine import Machine
from agent.probing.passport import CameraPart, Passport, RuntimePart
from agent.probing.picture import draw
from agent.probing.recognition import recognise
from agent.probing.trial import TrialSpec, try_out
from agent.probing.verdicts import judge
from agent.sources.v4l2.devices import cameras

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from agent.boards.matching import Recognised
    from agent.probing.inspection import Inspected
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
    passport = _passport(found, tries, serial=arguments.serial)
    if arguments.out:
        write(arguments.out, passport.text(), replace=True)
    if arguments.json:
        sys.stdout.write(passport.text())
    else:
        print(*draw(passport), sep="\n")
        if arguments.out:
            print(f"\nwritten   {arguments.out}")
    return EXIT_OK


def untried(found: Recognised) -> Passport:
    """Give the passport of a board whose accelerators were looked at, and none was opened."""
    looked = (
        inspection.inspect(one, named=named) for one, named in inspection.entries(found.profile.delegates)
    )
    return _passport(found, (judge(_left_alone(one, "not tried"), None) for one in looked))


def _passport(found: Recognised, tries: Iterable[DelegatePart], *, serial: bool = False) -> Passport:
    machine = Machine()
    return Passport(
        board=survey.board(machine, found, serial=serial),
        system=survey.system(machine),
        cpu=survey.cpu(machine),
        memory=survey.memory(machine, found.profile),
        runtime=_runtime(),
        thermal=survey.thermal(machine, found.profile.thermal),
        power=survey.power(machine, found.profile.power),
        cameras=tuple(_cameras()),
        delegates=tuple(tries),
    )


def _left_alone(looked: Inspected, why: str) -> Inspected:
    """Give what was looked at as something that is not tried: what is not there stays that."""
    if not looked.presence.there:
        return looked
    return replace(looked, presence=replace(looked.presence, there=False, why=why))


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
            looked = _left_alone(looked, "not tried: the running agent uses it")
        spec = TrialSpec(accelerator=accelerator, models=models, confine=confine, hidden=hidden)
        yield judge(looked, try_out(spec) if looked.presence.there else None)


def _runtime() -> RuntimePart:
    packages = {name: version for name, version in versions().items() if name not in _NO_PACKAGES}
    try:
        name, why = runtime_in_use()
    except ExtraMissing as error:
        return RuntimePart(name="", why=f"{error.problem}. {error.hint}", packages=packages)
    return RuntimePart(name=name, why=why, packages=packages)


_NO_PACKAGES = frozenset(("edge-agent", "python", "machine", "system"))


def _cameras() -> Iterator[CameraPart]:
    for one in cameras():
        formats = tuple(map(str, one.formats))
        yield CameraPart(
            device=one.best_id, name=one.name, driver=one.driver, formats=formats, problem=one.problem
        )
