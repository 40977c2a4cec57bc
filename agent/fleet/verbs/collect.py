"""edgectl collect: what the command line says."""

from __future__ import annotations

import logging
import os
import sys
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from agent import journal
from agent.errors import ConfigInvalid
from agent.fleet.keys import COLLECTOR
from agent.fleet.verbs._broker import HOST, PASSWORD, PORT, Protocol
from agent.fleet.verbs._options import FOLDER

if TYPE_CHECKING:
    from agent.fleet.collecting.collect import Options

# \b keeps the lines of a paragraph as they are.
_HELP = """\
Store what the devices of a fleet send, and acknowledge it.

Each result is stored once, however often it arrives. Devices keep theirs until the acknowledgement
comes, so the collector may be stopped, killed or moved at any time. It waits for a broker that is away.
Prints a line when it is ready, and one when it has stopped; SIGTERM and SIGINT stop it.

\b
examples:
  edgectl collect --keys keys --host broker.example --to sqlite:///fleet.db
  edgectl collect --keys keys --json >collector.ndjson
  PGPASSWORD=... edgectl collect --keys keys --share --name one \\
      --to postgresql://edge@db.example/fleet
  sqlite3 fleet.db "SELECT device, count(*) FROM results GROUP BY 1"

\b
exit codes: 0 stopped, 1 failed, 2 usage, 78 an option must be changed first
"""


class Out(StrEnum):
    """How records are written to a pipe."""

    NDJSON = "ndjson"
    CLOUDEVENTS = "cloudevents"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(collect)


def collect(
    *,
    host: HOST = "",
    port: PORT = 1883,
    fleet: Annotated[str, typer.Option(help="The fleet to listen to: edge/v1/FLEET/...")] = "default",
    to: Annotated[str, typer.Option(help="Where results go.", metavar="URL")] = "sqlite:///fleet.db",
    protocol: Annotated[
        Protocol, typer.Option(help="Which MQTT to speak; auto tries 5 first.")
    ] = Protocol.AUTO,
    username: Annotated[str, typer.Option(help=f"For the broker; the password comes from ${PASSWORD}.")] = "",
    tls: Annotated[bool, typer.Option("--tls", help="Encrypt; trust the system's authorities.")] = False,
    ca_file: Annotated[str, typer.Option(help="The broker's certificate authority; switches TLS on.")] = "",
    cert_file: Annotated[str, typer.Option(help="Our certificate, for mutual TLS.")] = "",
    key_file: Annotated[str, typer.Option(help="Our private key, for mutual TLS.")] = "",
    keys: Annotated[
        Path | None, typer.Option("--keys", "--dir", help="The keys that edgectl init made.", metavar="DIR")
    ] = None,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Take and send everything without signatures.")
    ] = False,
    share: Annotated[
        bool, typer.Option("--share", help="Share the work with other collectors that say so, too; MQTT 5.")
    ] = False,
    name: Annotated[
        str, typer.Option(help="This collector's own name, where there are several.", metavar="NAME")
    ] = "",
    out: Annotated[
        Out | None, typer.Option(help="Write each record to standard output, too; messages go to stderr.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line on standard output.")
    ] = False,
) -> None:
    """Collect until stopped."""
    from agent.fleet.collecting.collect import Options, Program
    from agent.fleet.identity.way import way

    if keys is None and not unsigned and (FOLDER / f"{COLLECTOR}.pub").exists():
        keys = FOLDER
    over = "\r\x1b[K" if sys.stderr.isatty() else ""  # the line of counts may stand there
    writer = journal.handler("edgectl", form=f"{over}{journal.FORMAT}")
    logging.basicConfig(level=logging.WARNING, handlers=[writer])
    broker = {"host": host, "port": port, "fleet": fleet, "username": username, "tls": tls or bool(ca_file)}
    files = {"ca_file": ca_file, "cert_file": cert_file, "key_file": key_file}
    options = Options(
        **way(keys, "collector", broker | files, 1883),
        to=to,
        protocol=protocol.value,
        password=os.environ.get(PASSWORD, ""),
        as_json=as_json,
        keys=keys,
        share=share,
        name=name,
        out=out.value if out else None,
    )
    _check(options, unsigned=unsigned)
    Program(options).run()


def _check(options: Options, *, unsigned: bool) -> None:
    """Refuse what does not go together."""
    from agent.link.topics import NAME_HINT, is_name

    if bool(options.cert_file) != bool(options.key_file) or (options.cert_file and not options.tls):
        hint = "Give --cert-file and --key-file together, with --tls or --ca-file"
        raise ConfigInvalid("collect", "--cert-file", "mutual TLS is only half there", hint)
    if options.keys is None and not unsigned:
        hint = "Make them with: edgectl init DIR. Then give --keys DIR. --unsigned does without"
        raise ConfigInvalid("collect", "--keys", "the keys to check and sign with are missing", hint)
    if options.keys is not None and unsigned:
        raise ConfigInvalid("collect", "--unsigned", "it does without --keys", "Leave one of both out")
    if options.share and options.protocol == "3.1.1":
        raise ConfigInvalid("collect", "--share", "MQTT 3.1.1 cannot share", "Leave --protocol out")
    if options.name and not is_name(options.name):
        raise ConfigInvalid(
            "collect", f"--name {options.name!r}", "a collector cannot be called so", NAME_HINT
        )
