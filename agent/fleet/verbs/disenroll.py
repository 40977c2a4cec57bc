"""edgectl disenroll: what the command line says."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.fleet.verbs._options import FOLDER, AsJson, Folder, PassphraseFile

_HELP = """\
Take devices out of the fleet: stolen, sold or broken ones.

Their certificates are revoked, the access list allows them nothing, and the collector believes none of their
signatures within a minute. Have mosquitto read its files again. The name can be enrolled anew, for the device
that replaces it. For models there is edgectl revoke.

\b
examples:
  edgectl disenroll gate-2

\b
exit codes: 0 done, 1 failed, 2 usage, 78 there is no such device, or a key or
the folder must be seen to first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(disenroll)


def disenroll(
    names: Annotated[list[str], typer.Argument(help="The devices.", metavar="NAME")],
    *,
    folder: Folder = FOLDER,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Take devices out."""
    from agent.fleet.identity import enrolled

    enrolled.leave(folder, names, passphrase_file, as_json=as_json)
