"""edgectl init: what the command line says."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

_HELP = """\
Make the keys of a fleet, and of its devices.

The collector signs its acknowledgements: a device deletes nothing without one. Each device signs what it
sends. Run it again to add devices: nothing that is there is ever written over. Prints which file goes where,
and no key.

\b
examples:
  edgectl init keys --device gate-1 --device gate-2
  edgectl collect --keys keys --host broker.example

\b
exit codes: 0 done, 1 failed, 2 usage, 78 a name must be changed first, or a
.pub may have been taken away
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
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON object.")] = False,
) -> None:
    """Make keys."""
    from agent.fleet import init as program

    program.run(folder, device or [], fleet, from_key=from_key, as_json=as_json)
