"""edgectl command: what the command line says."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Any

import typer

from agent.errors import EXIT_FAILED, ConfigInvalid, MessageInvalid
from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import FOLDER, AsJson, Folder, Group, PassphraseFile

_HELP = """\
Have devices do something once, and wait for what comes of it.

Signs the command with the control key and sends it; to who is silent the same command goes again every 20 s,
until it expires. A device does it once, however often it comes. --list shows what there is.

\b
examples:
  edgectl command gate-1 ping
  edgectl command gate-1,gate-2 restart pipeline=door
  edgectl command --group gates log-level level=debug seconds=600
  edgectl command gate-1 snapshot pipeline=door --out pictures
  edgectl command gate-1 update version=1.4.0 --in-window

\b
exit codes: 0 all have done it, 1 one has not, and it is named, or the broker
is away, 2 usage, 78 a name, a key or an option must be changed first
"""

_SOON_S, _A_DAY_S = 300.0, 86400.0
_Expires = Annotated[
    float | None,
    typer.Option(
        help="It may be begun within so many seconds: 300, with --in-window a day.",
        min=1,
        max=31 * 86400,
        metavar="S",
    ),
]
_InWindow = Annotated[
    bool, typer.Option("--in-window", help="A reboot or update begins in the device's maintenance window.")
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(command))


def command(
    *,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="The device, or several with commas; none with --group or --all. Then what to do, and how.",
            metavar="[DEVICE[,DEVICE]] OP [KEY=VALUE]",
        ),
    ] = None,
    broker: Broker,
    group: Group = None,
    everyone: Annotated[bool, typer.Option("--all", help="All devices of the fleet.")] = False,
    timeout: Annotated[
        float, typer.Option(help="Wait at most so many seconds.", min=0.1, max=7 * 86400, metavar="S")
    ] = 60.0,
    expires: _Expires = None,
    in_window: _InWindow = False,
    out: Annotated[
        Path | None, typer.Option(help="Fetch files that come with it into this folder.", metavar="FOLDER")
    ] = None,
    bare: Annotated[bool, typer.Option("--bare", help="Unsigned; for ping and status.")] = False,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Believe answers without a signature.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="Show what commands there are.")] = False,
    folder: Folder = FOLDER,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a command."""
    from agent.fleet.commanding import shown
    from agent.fleet.commanding.commander import Commander, Terms, Whom
    from agent.fleet.repository.work import asker

    if listed:
        print(shown.listed_json() if as_json else "\n".join(shown.listed()))
        return
    devices, op, rest = _split(words or [], named=not (group or everyone))
    args = _arguments(op, [*rest, *(["window=true"] if in_window else [])])
    expires = expires or (_A_DAY_S if args.get("window") else _SOON_S)
    whom = Whom(devices, group or [], everyone)
    settings = broker.link("edgectl-command")
    ask = asker(passphrase_file)
    with (
        Commander(folder, broker.fleet, settings, ask, unsigned=unsigned, out=out) as commander,
        shown.following(op, quiet=as_json) as step,
    ):
        found = commander.give(op, args, whom, Terms(timeout, expires, bare, step))
    print(shown.as_json(op, found) if as_json else shown.words(found))
    if expires > timeout and not as_json and any(not one.last for one in found):
        print(
            f"Who has not answered may do it yet, until {expires - timeout:.0f} s from now;"
            " edgectl status says who is online",
            file=sys.stderr,
        )
    if not all(one.good for one in found):
        raise typer.Exit(EXIT_FAILED)


def _arguments(op: str, words: list[str]) -> dict[str, Any]:
    """Read a command's arguments; what is wrong with them is the command line's fault."""
    from agent.fleet.commanding.arguments import parsed

    try:
        return parsed(op, words)
    except MessageInvalid as error:
        raise ConfigInvalid(error.op, error.subject, error.problem, error.hint) from error


def _split(words: list[str], *, named: bool) -> tuple[list[str], str, list[str]]:
    """Give the devices, what to do, and how."""
    least = 2 if named else 1
    if len(words) < least or "=" in words[least - 1]:
        hint = "Write: edgectl command DEVICE OP [KEY=VALUE...], or --group GROUP OP, or --all OP"
        raise ConfigInvalid("read", "the command line", "it names no device, or nothing to do", hint)
    devices = [name for name in words[0].split(",") if name] if named else []
    return devices, words[least - 1], words[least:]
