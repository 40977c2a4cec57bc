"""edge-agent install: the agent as a service of systemd, for whoever installed it with pip."""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from agent import resources
from agent.cli.setup.install_spec import NONE, Given, spec
from agent.errors import EXIT_OK, AgentError
from agent.installing import applying, removal, started, systemd
from agent.installing import record as records
from agent.installing.environment import here, refuse_hidden
from agent.installing.families import BY_NAME
from agent.installing.plan import PACKAGED, plan
from agent.installing.record import Record, below

if TYPE_CHECKING:
    from agent.installing.applying import Outcome, Step
    from agent.installing.plan import Command

HELP = "install the agent as a service of systemd, or remove it"
DESCRIPTION = """\
Puts the unit, rules for device nodes, groups and folders where systemd looks, writes a first configuration
where there is none, and starts the service. What the unit may open is added by families of hardware: those
that the board's accelerators and the configuration's sources need are found. Run it again after each upgrade:
it does only what is left to do, and overwrites nothing that somebody has changed."""
EPILOG = f"""\
hardware: {", ".join(BY_NAME)}; auto finds them, none adds nothing

examples:
  sudo edge-agent install
  sudo edge-agent install --hardware serial --hardware edge-tpu
  edge-agent install --dry-run
  sudo edge-agent install --root /mnt/image --profile raspberry-pi-5
  sudo edge-agent install --remove          data and configuration stay

exit codes: 0 done, 1 refused or failed, 2 usage, 78 the configuration must be changed first"""

_OP = "install"
_TO_DO = {
    "written": "write",
    "replaced": "replace",
    "kept": "keep",
    "linked": "link",
    "ran": "run",
    "removed": "remove",
}
_SURE = "This deletes the configuration, the secrets and all data of the service. Go on? [y/N] "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--hardware", action="append", choices=["auto", NONE, *BY_NAME], metavar="NAME", default=[],
        help="what the service may open beside cameras, may be given again; default auto",
    )  # fmt: skip
    parser.add_argument("--profile", default="", metavar="NAME", help="the board's profile; default: found")
    parser.add_argument(
        "--root", type=_folder, metavar="DIR", help="an image that is being built, in place of /"
    )
    parser.add_argument("--no-start", action="store_true", help="enable the service, and do not start it")
    parser.add_argument(
        "--remove", action="store_true", help="take away what was installed, and stop the service"
    )
    parser.add_argument(
        "--purge", action="store_true", help="with --remove: configuration, secrets and data, too"
    )
    parser.add_argument("--yes", action="store_true", help="with --purge: do not ask")
    parser.add_argument(
        "--force", action="store_true", help="replace or take files, too, that somebody has changed"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--json", action="store_true", help="print what was done as one JSON object")


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!a} is no folder")
    return Path(text).resolve()


def main(arguments: argparse.Namespace) -> int:
    """Install or remove; give the exit code."""
    if arguments.purge and not arguments.remove:
        raise AgentError("purge", "the service", "--purge goes with --remove", "Say: --remove --purge")
    if arguments.yes and not arguments.purge:
        raise AgentError(
            _OP, "the service", "--yes answers what --purge asks", "Say it with --remove --purge"
        )
    if arguments.root is None and not arguments.dry_run:
        _refuse_here()
    shown = _Shown(as_json=arguments.json, dry=arguments.dry_run)
    with nullcontext() if arguments.dry_run else records.held(arguments.root or Path("/")):
        (_remove if arguments.remove else _install)(arguments, shown)
    shown.finish()
    return EXIT_OK


def _refuse_here() -> None:
    """See that this machine's systemd can be told.

    Raises:
        AgentError: this is not root, or systemd does not run here.
    """
    if os.geteuid() != 0:
        hint = f"Run it with sudo: sudo {here().programs / 'edge-agent'} install"
        raise AgentError(_OP, "the service", "only root may", hint)
    if not systemd.runs_here():
        hint = "In an image that is being built use --root; without systemd start it by hand: edge-agent run"
        raise AgentError(_OP, "the service", "systemd does not run here", hint)


def _install(arguments: argparse.Namespace, shown: _Shown) -> None:
    root = arguments.root or Path("/")
    environment = here()
    if root == Path("/"):
        refuse_hidden(environment)
    known = records.read(root) or Record()
    given = Given(
        root=root,
        image=arguments.root is not None,
        hardware=tuple(arguments.hardware or ["auto"]),
        profile=arguments.profile,
        start=not arguments.no_start,
    )
    wanted, notes = spec(given, environment, known)
    shown.hardware, shown.notes = wanted.hardware, notes
    shipped = {path.name: path.read_bytes() for path in resources.units().iterdir() if path.is_file()}
    planned = plan(wanted, shipped)
    steps = applying.judge(planned, root, known, force=arguments.force)
    if arguments.dry_run:
        shown.would(steps, planned.commands)
    else:
        applying.apply(planned, root, known, steps, tell=shown.tell, run=systemd.run)
        if wanted.start and not wanted.image:
            shown.notes.append(f"the service says: {started.watch()}")


def _remove(arguments: argparse.Namespace, shown: _Shown) -> None:
    root = arguments.root or Path("/")
    known = records.read(root)
    if arguments.purge and below(root, PACKAGED).exists():
        raise AgentError(
            "purge", "the service", "a package has brought it", "Purge that: sudo apt-get purge edge-agent"
        )
    if known is None:
        shown.notes = ["nothing was installed by this command"]
    if below(root, PACKAGED).exists():
        shown.notes.append("the service is the package's, and goes with it: sudo apt-get remove edge-agent")
    steps = removal.judge(root, known or Record(), force=arguments.force, purge=arguments.purge)
    if arguments.dry_run:
        shown.would(steps, ())
    elif steps:
        if arguments.purge and not arguments.yes:
            _ask()
        image = arguments.root is not None
        removal.apply(root, known or Record(), steps, image=image, tell=shown.tell, run=systemd.run)


def _ask() -> None:
    """Have somebody confirm.

    Raises:
        AgentError: nobody does.
    """
    if not sys.stdin.isatty():
        raise AgentError("purge", "the service", "nobody is there to be asked", "Say --yes, too")
    print(_SURE, end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise AgentError("purge", "the service", "nothing was done, as you did not say yes")


class _Shown:
    """What is told of it: lines as things are done, or one JSON object at the end."""

    def __init__(self, *, as_json: bool, dry: bool) -> None:
        self._json = as_json
        self._dry = dry
        self._done: list[tuple[str, str]] = []
        self.hardware: tuple[str, ...] = ()
        self.notes: list[str] = []

    def tell(self, did: Outcome, what: str) -> None:
        """Something is done."""
        self._done.append((did, what))
        if not self._json:
            print(f"{_TO_DO.get(did, did) if self._dry else did:<10}{what}", flush=True)

    def would(self, steps: list[Step], commands: tuple[Command, ...]) -> None:
        """These things would be."""
        changed = any(one.did in applying.CHANGES for one in steps)
        for step in steps:
            self.tell(step.did, step.path)
        for command in commands:
            if changed or not command.if_changed:
                self.tell("ran", " ".join(command.argv))

    def finish(self) -> None:
        """All is done."""
        if self._json:
            steps = [{"did": did, "what": what} for did, what in self._done]
            print(
                json.dumps(
                    {"dry_run": self._dry, "hardware": self.hardware, "steps": steps, "notes": self.notes}
                )
            )
            return
        for note in self.notes:
            print(note)
        if self._dry:
            print("nothing was done: this is what would be")
