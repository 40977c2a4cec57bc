"""edgectl enroll: what the command line says."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from agent.fleet.verbs._options import FOLDER, AsJson, Folder, PassphraseFile

_HELP = """\
Take devices into the fleet: make for each a bundle of all that it needs.

A bundle has the device's signing key, its certificate for the broker with its key, what it trusts, its
agent.toml, and user-data for cloud-init. The broker's access list is made anew; have mosquitto read it again.
Run it again with the same names: devices that are enrolled keep what they have, and are put into the groups
that are named.

\b
examples:
  edgectl enroll gate-1 gate-2 --group gates
  edgectl enroll --count 1000 --prefix cam --group yard --archive
  edgectl enroll gate-3 --csr gate-3.csr

\b
exit codes: 0 done, 1 failed, 2 usage, 78 a name, an option, a key or the
folder must be seen to first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(enroll)


def enroll(
    names: Annotated[list[str] | None, typer.Argument(help="The devices.", metavar="NAME")] = None,
    *,
    folder: Folder = FOLDER,
    count: Annotated[int, typer.Option(help="So many: PREFIX-0001 and on.", min=0, max=100_000)] = 0,
    prefix: Annotated[str, typer.Option(help="What --count puts before the numbers.")] = "cam",
    group: Annotated[
        list[str] | None, typer.Option(help="Put them into this group; may be repeated.")
    ] = None,
    days: Annotated[int, typer.Option(help="Days that the certificate lasts.", min=1, max=7300)] = 3650,
    out: Annotated[
        Path | None, typer.Option(help="Where bundles go; DIR/enrolled when left out.", metavar="FOLDER")
    ] = None,
    broker: Annotated[
        str, typer.Option(help="The broker's name, as they shall call it.", metavar="HOST")
    ] = "",
    archive: Annotated[
        bool, typer.Option("--archive", help="One NAME.tar.gz each instead of a folder.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="A new certificate and key for a device that has them.")
    ] = False,
    csr: Annotated[
        Path | None,
        typer.Option(help="Sign this request of the one device, which keeps its key.", metavar="FILE"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The pipelines and other tables of agent.toml.", metavar="FILE")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Enrol devices."""
    from agent.fleet.identity import enrolled

    enrolled.run(
        enrolled.Asked(
            folder=folder,
            names=tuple(names or ()),
            count=count,
            prefix=prefix,
            groups=None if group is None else tuple(group),
            days=days,
            out=out or folder / "enrolled",
            host=broker,
            archive=archive,
            again=again,
            csr=csr,
            config=config,
        ),
        passphrase_file,
        as_json=as_json,
    )
