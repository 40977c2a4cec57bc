"""edgectl models: what the command line says."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import FOLDER, AsJson, Folder

_HELP = """\
Show which models the devices of a fleet run, and which they were told to.

Asks the broker for what each device has reported last, and proves it with the device's key. Devices are those
whose keys are in the folder.

\b
examples:
  edgectl models --host broker.example
  edgectl models gate-1 --json

\b
exit codes: 0 shown, 1 the broker does not answer, 2 usage, 78 a name or an
option must be changed first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(models))


def models(
    device: Annotated[str, typer.Argument(help="Only this device.", metavar="[DEVICE]")] = "",
    *,
    broker: Broker,
    folder: Folder = FOLDER,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Believe reports without a signature.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show models."""
    import time

    import orjson

    from agent.fleet.looking import models as looking

    settings = broker.link("edgectl-models")
    devices = looking.look(folder, broker.fleet, device, settings, unsigned=unsigned)
    now = time.time()
    if as_json:
        print(orjson.dumps(looking.as_json(devices, now)).decode())
    else:
        print("\n".join(looking.table(devices, now)))
