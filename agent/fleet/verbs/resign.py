"""edgectl resign: what the command line says."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import FOLDER, AsJson, Folder, Local, PassphraseFile

_HELP = """\
Sign anew how new everything is: what a timer does every day.

Devices take no news from metadata whose timestamp is older than 14 days, so that nobody can hold them back
unseen. Signs the timestamp, and the snapshot when half its time is over, with the online key; warns when
what other keys have signed expires within 30 days. --role signs that anew, too, with its own key.
--from-broker is for a copy of the folder: what was published from another since is taken over first, once all
of it is proved.

\b
examples:
  edgectl resign --host broker.example --passphrase-file /run/secrets/edgectl
  edgectl resign --role models --role fleet --host broker.example
  edgectl resign --from-broker --dir /etc/edgectl/models --host broker.example

\b
exit codes: 0 done, 1 failed, 2 usage, 78 an option, a key or the folder must
be seen to first
"""


class Offline(StrEnum):
    """A role whose key is not needed every day."""

    ROOT = "root"
    TARGETS = "targets"
    MODELS = "models"
    FLEET = "fleet"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(resign))


def resign(
    *,
    folder: Folder = FOLDER,
    role: Annotated[list[Offline] | None, typer.Option(help="Sign this role, too; may be repeated.")] = None,
    from_broker: Annotated[
        bool, typer.Option("--from-broker", help="First take over what the broker has, where that is newer.")
    ] = False,
    local: Local = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    broker: Broker,
) -> None:
    """Sign what expires."""
    import orjson

    from agent.errors import ConfigInvalid
    from agent.fleet.identity import expiry
    from agent.fleet.repository.roles import OFFLINE, RENEW_DAYS
    from agent.fleet.repository.work import at_work, expiring, told

    if local and from_broker:
        problem = "it asks the broker, and --local leaves the broker alone"
        raise ConfigInvalid("use", "--from-broker", problem, "Leave one of them out")
    seat = None if local else broker
    with at_work(folder, passphrase_file, seat, shown=not as_json, take=from_broker) as work:
        if work.taken and not as_json:
            print(f"took over timestamp {work.taken} and what was published with it")
        roles = work.repository.roles
        work.repository.renew(*(one.value for one in role or []))
        if roles.left_days("snapshot") < RENEW_DAYS:
            work.repository.renew("snapshot")
        sent = work.finish()
        certificates = expiry.warnings(folder)
        for line in certificates:
            print(f"edgectl: WARNING: {line}", file=sys.stderr)
        warnings = [*expiring(work.repository), *certificates]
        expires = {one: roles.expires(one).isoformat() for one in (*OFFLINE, "snapshot", "timestamp")}
    if as_json:
        facts = {"expires": expires, "warnings": warnings, "taken": work.taken, **told(sent)}
        print(orjson.dumps(facts).decode())
