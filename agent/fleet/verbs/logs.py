"""edgectl logs: what the command line says."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from agent.errors import EXIT_FAILED
from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import FOLDER, AsJson, Folder, PassphraseFile

if TYPE_CHECKING:
    from agent.fleet.commanding.gathering import Result

_HELP = """\
Show the newest lines of a device's log, and follow it.

Asks the device with a signed command. With -f it sends each line that comes, at most 20 a second, until five
minutes after the last word from here; ^C ends it.

\b
examples:
  edgectl logs gate-1 -n 50
  edgectl logs gate-1 -f --level warning

\b
exit codes: 0 shown, 1 the device does not answer or refuses, or the broker is
away, 2 usage, 78 a name, a key or an option must be changed first
"""


class Least(StrEnum):
    """From which level on lines are shown."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(logs))


def logs(
    device: Annotated[str, typer.Argument(help="The device's name.", metavar="DEVICE")],
    *,
    broker: Broker,
    lines: Annotated[
        int, typer.Option("-n", "--lines", help="So many lines that are there.", min=0, max=500, metavar="N")
    ] = 100,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="And those to come, until ^C.")] = False,
    level: Annotated[Least, typer.Option(help="The least important ones.")] = Least.INFO,
    timeout: Annotated[
        float, typer.Option(help="Wait at most so many seconds for an answer.", min=0.1, metavar="S")
    ] = 30.0,
    folder: Folder = FOLDER,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Believe lines without a signature.")] = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Show a device's log."""
    from agent.fleet.commanding import shown
    from agent.fleet.commanding.commander import Commander
    from agent.fleet.looking import tail as tails
    from agent.fleet.repository.work import asker
    from agent.link import topics

    tail = tails.Tail(folder, broker.fleet, device, unsigned=unsigned, as_json=as_json)
    listen = [topics.up_logs(broker.fleet, device)] if follow else []
    settings, ask = broker.link("edgectl-logs"), asker(passphrase_file)

    def asked(number: int) -> Result:
        """Have the device give so many lines, and follow where that is wanted."""
        args = {"lines": number, "level": level.value, "follow_s": tails.FOLLOW_S if follow else 0.0}
        [found] = commander.run("logs", args, devices=[device], timeout_s=timeout)
        if not found.good:
            hint = f". Is it online? edgectl status {device}" if found.state == "silent" else ""
            print(f"edgectl: {device}: {shown.in_words(found)}{hint}", file=sys.stderr, flush=True)
        return found

    with Commander(
        folder, broker.fleet, settings, ask, unsigned=unsigned, listen=listen, heard=tail.heard
    ) as commander:
        try:
            if follow:
                result = tails.follow(commander, tail, asked, lines)
            else:
                result = asked(lines)
                tail.begin(result)
        except KeyboardInterrupt:
            return  # that is how it ends
    if not result.good:
        raise typer.Exit(EXIT_FAILED)
