"""edgectl renew: what the command line says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agent.errors import EXIT_FAILED
from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import FOLDER, AsJson, Folder, Group, PassphraseFile

if TYPE_CHECKING:
    from agent.fleet.identity.renewal import Renewed

_HELP = """\
Give devices new keys and certificates for the broker, over the air.

Each device makes the new key itself, and no private key travels. It goes over to the new pair when the broker
has taken that, within a minute, and else stays with the old one. Its signing key stays what it is.

\b
examples:
  edgectl renew gate-1
  edgectl renew --all --expiring 90
  edgectl renew gate-1 --revoke

\b
exit codes: 0 all have gone over, 1 one of them has not, or the broker is
away, 2 usage, 78 a name, a key or an option must be seen to first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(renew))


def renew(
    *,
    devices: Annotated[list[str] | None, typer.Argument(help="The devices.", metavar="DEVICE")] = None,
    broker: Broker,
    group: Group = None,
    everyone: Annotated[bool, typer.Option("--all", help="All that are enrolled.")] = False,
    expiring: Annotated[
        int | None,
        typer.Option(help="Only where the certificate ends within so many days.", min=0, metavar="DAYS"),
    ] = None,
    days: Annotated[int, typer.Option(help="Days that the new one lasts.", min=1, max=7300)] = 3650,
    timeout: Annotated[
        float, typer.Option(help="Wait so many seconds for devices that say nothing.", min=1, metavar="S")
    ] = 60.0,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Revoke what they had before: somebody has their keys.")
    ] = False,
    folder: Folder = FOLDER,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Renew certificates."""
    from dataclasses import asdict
    from functools import cache

    import orjson

    from agent.fleet.commanding.commander import Commander
    from agent.fleet.identity import authority
    from agent.fleet.identity import renewal as program
    from agent.fleet.identity.mosquitto import RELOAD
    from agent.fleet.identity.place import BROKER
    from agent.fleet.repository.passphrase import passphrase

    names = program.chosen(folder, devices or [], group or [], everyone=everyone, expiring=expiring)
    if not names:
        print(orjson.dumps({"devices": []}).decode() if as_json else "no certificate ends within these days")
        return
    secret = cache(lambda: passphrase(passphrase_file))
    issuer = authority.opened(folder, secret())
    shown = (lambda _: None) if as_json else (lambda one: print(_line(one), flush=True))
    with Commander(folder, broker.fleet, broker.link("edgectl-renew"), secret) as commander:
        found = program.renew(
            folder, names, commander, issuer, days=days, timeout_s=timeout, revoke=revoke, step=shown
        )
    if as_json:
        print(orjson.dumps({"devices": [asdict(one) for one in found]}).decode())
    if revoke and not as_json:
        print(f"\nNew is: {folder / BROKER / authority.CRL}\nHave the broker read it: {RELOAD}")
    if any(one.problem for one in found):
        raise typer.Exit(EXIT_FAILED)


def _line(one: Renewed) -> str:
    if one.problem:
        return f"{one.name:<20} stays with what it has: {one.problem}"
    return f"{one.name:<20} has gone over to {one.serial}, until {one.until}"
