"""edgectl gaps: what the command line says."""

from __future__ import annotations

from typing import Annotated

import typer

_HELP = """\
Say whether anything of a device was missed in a span of time.

Looks at what the device declared as lost, and at how its frame ledgers grew: captured = inferred + filtered +
gated + dropped + failed + lost + in flight. Times are the device's own; the ledgers are kept by the minute.
TIME is 2026-11-25T02:00 (UTC where no zone is given), "now", or how long ago: 90s, 2h, 1d.

\b
examples:
  edgectl gaps gate-1 --from 2026-11-25T02:00 --to 2026-11-25T04:00
  edgectl gaps gate-1 --from 2h --json

\b
exit codes: 0 complete, 1 incomplete, or not all has come yet, 2 usage,
78 an option must be changed first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(gaps)


def gaps(
    device: Annotated[str, typer.Argument(help="The device's name.", metavar="DEVICE")],
    *,
    since: Annotated[str, typer.Option("--from", help="Where the span begins.", metavar="TIME")] = "1d",
    until: Annotated[str, typer.Option("--to", help="Where it ends.", metavar="TIME")] = "now",
    database: Annotated[
        str, typer.Option("--db", help="The collector's database.", metavar="URL")
    ] = "sqlite:///fleet.db",
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON object.")] = False,
) -> None:
    """Say whether anything was missed."""
    from agent.fleet.collecting import gaps_report

    raise typer.Exit(gaps_report.run(device, since, until, database, as_json=as_json))
