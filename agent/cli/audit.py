"""edge-agent audit: what was done to this device, and whether the record of it is whole."""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson

from agent.cli.device.folders import add_folder, data_folder
from agent.cli.terminal.numbers import number
from agent.cli.terminal.parts import Parts, add_json
from agent.cli.terminal.printing import print_json, print_table
from agent.errors import EXIT_FAILED, EXIT_OK
from agent.moments import written
from agent.store.audit import newest_entries, proved
from agent.wording import plain

if TYPE_CHECKING:
    from agent.slots import AuditEntry

HELP = "show the audit log, or prove that it is whole"
DESCRIPTION = """\
Shows what was done to this device: each activation, refusal and rollback of a model, each change of keys,
each command. Every entry's hash covers the one before it; verify follows that chain. Both read beside a
running agent and change nothing. Each has its own help: edge-agent audit verify --help"""
EPILOG = """\
examples:
  edge-agent audit show --last 20
  edge-agent audit verify
  edge-agent audit verify --head 57:9f86d081...

A '?' behind a time: the clock was not known to be right.

exit codes: 0 done, 1 the chain is broken or it cannot be read, 2 usage"""

_SHOWN = 50
"""Entries without ``--last``."""
_COLUMNS = ("seq", "time", "synced", "kind", "subject", "detail", "hash")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the two parts and their options."""
    parts = Parts(parser, add_folder)
    shower = parts.add("show", "show the newest entries, oldest first", _show)
    shower.add_argument(
        "--last",
        type=number(int, 1, 1_000_000),
        default=_SHOWN,
        metavar="N",
        help=f"so many entries; {_SHOWN} when left out",
    )
    shower.add_argument("--json", action="store_true", help="JSON lines, also on a terminal")
    verifier = parts.add("verify", "follow the chain from the first entry to the last", _verify)
    verifier.add_argument(
        "--head",
        type=_head,
        metavar="SEQ:HASH",
        help="number and hash of an entry as the device once reported them: it must still be in the chain",
    )
    add_json(verifier)


def main(arguments: argparse.Namespace) -> int:
    """Do the part that was chosen; give the exit code."""
    code: int = arguments.do(arguments)
    return code


def _show(arguments: argparse.Namespace) -> int:
    folder = data_folder(arguments)
    entries, damaged = newest_entries(folder, arguments.last)
    rows = [_row(entry) for entry in entries]
    if arguments.json or not sys.stdout.isatty():
        print_json(_COLUMNS, (tuple(row.values()) for row in rows))
    elif rows:
        print_table(("seq", "time (UTC)", "kind", "subject", "detail"), (_told(row) for row in rows))
    sys.stdout.flush()
    if damaged:
        hint = "Look closer with: edge-agent audit verify"
        print(f"edge-agent: left out because they are damaged: {damaged}. {hint}", file=sys.stderr)
    if not entries:
        print(f"edge-agent: nothing found in {folder}", file=sys.stderr)
    return EXIT_OK


def _row(entry: AuditEntry) -> dict[str, Any]:
    """An entry whose content is none has a number and a hash all the same."""
    try:
        body = orjson.loads(entry.body)
    except orjson.JSONDecodeError:
        body = None
    body = body if isinstance(body, dict) else {}
    wall = body.get("wall_ns")
    return {
        "seq": entry.seq,
        "time": written(wall) if isinstance(wall, int) else None,
        "synced": body.get("synced"),
        "kind": body.get("kind"),
        "subject": body.get("subject"),
        "detail": body.get("detail"),
        "hash": entry.hash,
    }


def _told(row: dict[str, Any]) -> tuple[Any, ...]:
    time = str(row["time"] or "?").replace("T", " ").rstrip("Z") + ("?" if row["synced"] is False else "")
    detail = row["detail"] if isinstance(row["detail"], dict) else {}
    words = "  ".join(f"{key}={value}" for key, value in detail.items())
    return row["seq"], time, row["kind"], row["subject"], words


def _verify(arguments: argparse.Namespace) -> int:
    folder = data_folder(arguments)
    chain = proved(folder, arguments.head)
    if arguments.json:
        print(json.dumps({"folder": str(folder), **asdict(chain), "ok": not chain.findings}))
    else:
        for finding in chain.findings:
            print(f"FAIL {plain(finding, 200)}")
        kept = f"entries {chain.first} to {chain.seq}" if chain.entries else "no entries"
        print(f"{'broken' if chain.findings else 'ok'}: {kept} in {folder}")
        if chain.seq:
            print(f"head {chain.seq}:{chain.hash}")
    return EXIT_FAILED if chain.findings else EXIT_OK


def _head(text: str) -> tuple[int, str]:
    found = re.fullmatch(r"([0-9]{1,16}):([0-9a-f]{64})", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no head: give a number, a colon and 64 hex digits")
    return int(found[1]), found[2]
