"""edgectl verify: what the command line says."""

from __future__ import annotations

import typer

from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import FOLDER, AsJson, Folder

_HELP = """\
Look at the repository as a device does that knows nothing but 1.root.json.

Proves all metadata with python-tuf's own client, and each file that it vouches for. With --host what the
broker has, too. Lists what is published, and says when each role expires.

\b
examples:
  edgectl verify
  edgectl verify --host broker.example --json

\b
exit codes: 0 all is well, 1 something is wrong, 2 usage, 78 an option or the
folder must be seen to first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(verify, optional=True))


def verify(*, folder: Folder = FOLDER, as_json: AsJson = False, broker: Broker) -> None:
    """Look at what is published."""
    import orjson

    from agent.errors import EXIT_FAILED, EXIT_OK
    from agent.fleet.repository import report

    found = report.look(folder, broker if broker.host else None, shown=not as_json)
    if as_json:
        print(orjson.dumps(report.facts(found)).decode())
    else:
        print("\n".join(report.lines(found)))
    raise typer.Exit(EXIT_FAILED if any(seen.problems for seen in found.values()) else EXIT_OK)
