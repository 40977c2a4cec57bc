"""edgectl status: what the command line says."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer

from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import FOLDER, AsJson, Folder, Group

_HELP = """\
Show how the devices of a fleet do, those first that need somebody.

Asks the broker for what each device has said of itself last, and proves it with the device's key. A row is
red when the device is offline, has said nothing for long, has a problem, has refused what is wanted or is
late with it, is hot, or has records waiting for long. docs/troubleshooting.md says what to do.

\b
examples:
  edgectl status --host broker.example
  edgectl status --group gates --watch
  edgectl status gate-1 --json

\b
exit codes: 0 shown, 1 the broker does not answer, 2 usage, 78 a name or an
option must be changed first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(status))


def status(
    devices: Annotated[list[str] | None, typer.Argument(help="Only these devices.", metavar="DEVICE")] = None,
    *,
    broker: Broker,
    group: Group = None,
    folder: Folder = FOLDER,
    watch: Annotated[bool, typer.Option("--watch", help="Go on showing it, until ^C.")] = False,
    stale: Annotated[
        float, typer.Option(help="Red: it has said nothing for so many seconds.", min=1, metavar="S")
    ] = 300.0,
    hot: Annotated[float, typer.Option(help="Red: so hot, degrees Celsius.", metavar="C")] = 80.0,
    old: Annotated[
        float, typer.Option(help="Red: a record waits for so many seconds.", min=1, metavar="S")
    ] = 3600.0,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Believe what has no signature.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the fleet."""
    import time

    import orjson

    from agent.fleet.looking import live, table
    from agent.fleet.looking.judging import Limits
    from agent.fleet.looking.reading import Reader, look
    from agent.fleet.looking.whom import meant

    entries = meant(folder, devices or [], group or [])
    settings, limits = broker.link("edgectl-status"), Limits(stale, hot, old)
    reader = Reader(folder, broker.fleet, unsigned=unsigned)
    if watch:
        live.follow(live.Options(reader, settings, broker.fleet, entries, limits), as_json=as_json)
        return
    found = look(reader, settings, broker.fleet, entries)
    now = time.time()
    judged = table.ordered(found, limits, now)
    if as_json:
        print(orjson.dumps(table.as_json(judged, now)).decode())
        return
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else table.WIDE
    print("\n".join([*table.table(judged, now, width=width, color=terminal), table.summary(judged)]))
