"""edgectl heal: what the command line says."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import FOLDER, AsJson, Folder, PassphraseFile

_HELP = """\
Put back what the broker has lost.

Compares everything that is published with what the broker has, and sends what is missing or different, and
nothing else. A broker that was killed may have lost half an hour; a new one has nothing. --from-broker goes
the other way: it takes over what the broker has, all of it proved, where this folder is an old backup.

\b
examples:
  edgectl heal --host broker.example
  edgectl heal --host broker.example --from-broker

\b
exit codes: 0 done, 1 failed, 2 usage, 78 an option, a key or the folder must
be seen to first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(heal))


def heal(
    *,
    folder: Folder = FOLDER,
    from_broker: Annotated[
        bool, typer.Option("--from-broker", help="Take over what the broker has, which is newer.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    broker: Broker,
) -> None:
    """Put back what is lost."""
    import orjson

    from agent.fleet.repository import desired
    from agent.fleet.repository.restore import restore
    from agent.fleet.repository.work import at_work, told

    with at_work(folder, passphrase_file, broker, shown=not as_json, compare=not from_broker) as work:
        if from_broker and work.wire:
            seen = restore(work.repository, work.wire.shelf)
            facts = {"timestamp": seen.versions["timestamp"], "bundles": sorted(seen.bundles)}
            said = f"took over timestamp {seen.versions['timestamp']}, {len(seen.bundles)} bundles"
        elif work.publisher and work.wire:
            work.repository.commit()  # what a kill has left unsigned
            sent = work.publisher.heal()
            states = desired.heal(work.wire, broker.link("edgectl-heal"), work.repository, broker.fleet)
            facts = {"looked": sent.looked, **told(sent), "paths": sent.paths, "desired": states}
            said = f"looked at {sent.looked} pieces, sent {len(sent.paths)} of them, {sent.size:,} bytes"
            said += f"; put back the desired state of {', '.join(states)}" if states else ""
    print(orjson.dumps(facts).decode() if as_json else said)
