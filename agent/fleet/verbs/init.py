"""edgectl init: what the command line says."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from agent.fleet.verbs._options import AsJson, PassphraseFile  # noqa: TC001 - as above

_HELP = """\
Make the keys of a fleet and of its devices, and the repository of its models.

The collector signs its acknowledgements: a device deletes nothing without one. Each device signs what it
sends. The keys that sign models are encrypted with a passphrase: from a terminal, --passphrase-file, or
$EDGECTL_PASSPHRASE. The fleet's certificate authority is made, too; with --broker the broker's certificate,
its access list and a configuration for mosquitto. Run it again to add what is missing: nothing that is there
is ever written over. Prints which file goes where, and no key.

\b
examples:
  edgectl init keys --fleet north --broker broker.example,192.0.2.7
  edgectl init keys --device gate-1 --device gate-2
  edgectl collect --keys keys --host broker.example

\b
exit codes: 0 done, 1 failed, 2 usage, 78 a name must be changed first, there
is no passphrase, or a .pub may have been taken away
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(init)


def init(
    folder: Annotated[Path, typer.Argument(help="The folder of keys.", metavar="DIR")],
    *,
    device: Annotated[
        list[str] | None, typer.Option(help="Make a key for this device, too; may be repeated.", metavar="ID")
    ] = None,
    fleet: Annotated[str, typer.Option(help="The fleet that they belong to, for what is told.")] = "default",
    from_key: Annotated[
        bool,
        typer.Option("--from-key", help="Make a .pub that is missing from its .key, which nobody stole."),
    ] = False,
    no_models: Annotated[
        bool, typer.Option("--no-models", help="Only for results: no keys and no repository of models.")
    ] = False,
    broker: Annotated[
        str,
        typer.Option(
            help="The broker's names, with commas between: makes all that it needs.", metavar="NAME[,IP]"
        ),
    ] = "",
    port: Annotated[
        int | None,
        typer.Option(help="Where the broker listens; 8883 when left out.", min=1, max=65535, metavar="N"),
    ] = None,
    home_assistant: Annotated[
        str | None,
        typer.Option(help="Let devices write below this prefix of Home Assistant, too.", metavar="PREFIX"),
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Make keys."""
    from agent.fleet import init as program

    program.run(
        folder,
        device or [],
        fleet,
        from_key=from_key,
        as_json=as_json,
        models=not no_models,
        broker=broker,
        port=port,
        home_assistant=home_assistant,
        file=passphrase_file,
    )
