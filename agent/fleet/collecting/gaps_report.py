"""edgectl gaps: what missed.py finds, for people and for programs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import orjson

from agent.errors import EXIT_FAILED, EXIT_OK, AgentError, ConfigInvalid
from agent.fleet.collecting.databases import reading
from agent.fleet.collecting.missed import missed
from agent.link.topics import NAME_HINT, is_name
from agent.moments import moment, spelled
from agent.wording import plain

if TYPE_CHECKING:
    from agent.fleet.collecting.missed import Missing, Report


_LONGEST = 4000
"""Characters of a line; a device's own words can be long, and hold what moves a cursor."""


_WORDS = {
    "dropped overwritten": "dropped (a newer frame came before their turn)",
    "lost in flight": "lost in flight (the agent ended on them)",
}
"""What people read; programs get the accounts' names."""


def run(device: str, since: str, until: str, database: str, *, as_json: bool) -> int:
    """Look, and print; give the exit code.

    Raises:
        ConfigInvalid: a name, a time or the database's URL makes no sense.
        AgentError: the database is not there, or nothing of the device is in it.
    """
    if not is_name(device):
        raise ConfigInvalid("look for", repr(device), "a device cannot be called so", NAME_HINT)
    now_ns = time.time_ns()
    begin, end = moment(since, now_ns), moment(until, now_ns)
    if end < begin:
        raise ConfigInvalid(
            "look for", f"--from {since} --to {until}", "it ends before it begins", "Swap them"
        )
    with reading(database) as db:
        report = missed(db, device, begin, end)
    if not report.known:
        hint = "Check its name in the table devices"
        raise AgentError("look for", device, "nothing of it is in the database", hint)
    if as_json:
        print(orjson.dumps(report.to_json()).decode())
    else:
        print("\n".join(plain(line, _LONGEST) for line in _lines(report)))
    return EXIT_OK if report.verdict == "complete" else EXIT_FAILED


def _lines(report: Report) -> list[str]:
    lines = [f"{report.device}  {spelled(report.from_ns)} to {spelled(report.to_ns)}: {report.verdict}"]
    if report.heard_ns is None:
        lines.append("  no ledger of it is here that says what it has made")
    elif report.heard_ns < report.to_ns:
        lines.append(f"  the newest that has come was made {spelled(report.heard_ns)}")
    for name, counts in sorted(report.pipelines.items()):
        accounts = ", ".join(
            f"{count} {_WORDS.get(account, account)}" for account, count in sorted(counts.items())
        )
        lines.append(f"  {name}: {accounts or 'nothing'}")
    lines += [_gap("missing", one) for one in report.missing]
    return [*lines, *(_gap("awaited", one) for one in report.awaited)]


def _gap(what: str, gap: Missing) -> str:
    records = f"{gap.count} of {gap.stream} ({gap.reason}), {gap.first}..{gap.last} of {gap.epoch}"
    return f"  {what} {records}, between {spelled(gap.from_ns)} and {spelled(gap.to_ns)}"
