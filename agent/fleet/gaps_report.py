"""edgectl gaps: what missed.py finds, for people and for programs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import orjson

from agent.errors import EXIT_FAILED, EXIT_OK, AgentError
from agent.fleet.databases import reading
from agent.fleet.missed import missed
from agent.moments import moment, spelled

if TYPE_CHECKING:
    from agent.fleet.missed import Missing, Report


def run(device: str, since: str, until: str, database: str, *, as_json: bool) -> int:
    """Look, and print; give the exit code.

    Raises:
        ConfigInvalid: a time or the database's URL makes no sense.
        AgentError: the database is not there, or nothing of the device is in it.
    """
    now_ns = time.time_ns()
    with reading(database) as db:
        report = missed(db, device, moment(since, now_ns), moment(until, now_ns))
    if report.heard_ns is None and not (report.missing or report.awaited):
        hint = "Check its name in the table devices"
        raise AgentError("look for", device, "nothing of it is in the database", hint)
    if as_json:
        print(orjson.dumps(report.to_json()).decode())
    else:
        print("\n".join(_lines(report)))
    return EXIT_OK if report.verdict == "complete" else EXIT_FAILED


def _lines(report: Report) -> list[str]:
    lines = [f"{report.device}  {spelled(report.from_ns)} to {spelled(report.to_ns)}: {report.verdict}"]
    if report.heard_ns is not None and report.heard_ns < report.to_ns:
        lines.append(f"  the newest that has come was made {spelled(report.heard_ns)}")
    for name, counts in sorted(report.pipelines.items()):
        accounts = ", ".join(f"{count} {account}" for account, count in sorted(counts.items()))
        lines.append(f"  {name}: {accounts or 'nothing'}")
    lines += [_gap("missing", one) for one in report.missing]
    return [*lines, *(_gap("awaited", one) for one in report.awaited)]


def _gap(what: str, gap: Missing) -> str:
    records = f"{gap.count} of {gap.stream} ({gap.reason}), {gap.first}..{gap.last} of {gap.epoch}"
    return f"  {what} {records}, between {spelled(gap.from_ns)} and {spelled(gap.to_ns)}"
