"""edge-agent store: look after the data folder: verify, stats, purge, migrate."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agent.cli.device.folders import add_folder, data_folder
from agent.cli.device.owner import as_owner
from agent.cli.terminal.numbers import number
from agent.cli.terminal.parts import Parts, add_json
from agent.errors import EXIT_FAILED, EXIT_OK, AgentError, FolderHeld, FolderUnusable
from agent.moments import written
from agent.store.folder import DataFolder
from agent.store.inspect import segment_files
from agent.store.purge import purge
from agent.store.stats import stats
from agent.store.verify import mend, verify
from agent.wording import plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from agent.store.stats import FolderStats, StreamStats
    from agent.store.verify import Finding

HELP = "look after the data folder"
DESCRIPTION = """\
Looks after the folder in which results wait: reads every block, counts what is there, deletes it all, or
brings it to another release's format. Each has its own help: edge-agent store verify --help"""
EPILOG = """\
examples:
  edge-agent store stats
  edge-agent store verify --json
  sudo systemctl stop edge-agent && sudo edge-agent store purge

exit codes: 0 done, 1 damage was found or it could not be done, 2 usage"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the four parts and their options."""
    parts = Parts(parser, add_folder, add_json)
    verifier = parts.add("verify", "read every block; with --repair, mend what is damaged", _verify)
    verifier.add_argument(
        "--repair",
        action="store_true",
        help="set damaged files aside and go on with what is sound; the agent must be stopped",
    )
    parts.add("stats", "count what is in the store", _stats)
    purger = parts.add(
        "purge", "delete all results, snapshots and clips for good; the agent must be stopped", _purge
    )
    purger.add_argument("--yes", action="store_true", help="don't ask")
    migrator = parts.add("migrate", "bring the files to another format; the agent must be stopped", _migrate)
    migrator.add_argument(
        "--to",
        type=number(int, 1, 1000),
        metavar="N",
        help="the format's version; this release's when left out. An older one is the way back",
    )


def main(arguments: argparse.Namespace) -> int:
    """Do the part that was chosen; give the exit code."""
    code: int = arguments.do(arguments)
    return code


def _verify(arguments: argparse.Namespace) -> int:
    folder = data_folder(arguments)
    mended: list[Finding] = []
    if arguments.repair:
        with _held(folder):
            mended = mend(folder)
    verdict = verify(folder)
    if arguments.json:
        body = asdict(verdict) | {"folder": str(folder), "mended": [asdict(one) for one in mended]}
        print(json.dumps(body | {"ok": not verdict.findings}))
    else:
        for finding in mended:
            print(f"mended {_told(finding)}")
        for finding in verdict.findings:
            print(f"FAIL {_told(finding)}")
        words = f"{verdict.segments} segments, {verdict.blocks} blocks, {verdict.records} records"
        print(f"{'damaged' if verdict.findings else 'ok'}: {words} in {folder}")
        if verdict.findings and not arguments.repair:
            hint = (
                "the agent mends it when it comes to it; or stop it and run: edge-agent store verify --repair"
            )
            print(f"edge-agent: {hint}", file=sys.stderr)
    return EXIT_FAILED if verdict.findings else EXIT_OK


def _told(finding: Finding) -> str:
    place = "" if finding.first is None else f" records {finding.first}..{finding.last}:"
    return f"{finding.file}:{place} {plain(finding.problem, 200)}"


def _stats(arguments: argparse.Namespace) -> int:
    folder = data_folder(arguments)
    found = stats(folder)
    if arguments.json:
        print(json.dumps({"folder": str(folder), **asdict(found)}))
    else:
        print("\n".join(_lines(folder, found)))
    return EXIT_FAILED if found.problem else EXIT_OK


def _lines(folder: Path, found: FolderStats) -> list[str]:
    lines = [str(folder)]
    lines += [line for stream, one in found.streams.items() for line in _stream_lines(stream, one)]
    files, size = found.quarantine
    lines.append(
        f"  free {_size(found.free)}  ballast {_size(found.ballast)}  quarantine {files} files, {_size(size)}"
    )
    if found.problem:
        lines.append(f"  state.db: {plain(found.problem, 200)}")
    return lines


def _stream_lines(stream: str, one: StreamStats) -> list[str]:
    where = f"{one.blocks} blocks, {one.segments} segments, {one.epochs} epochs, {_size(one.size)}"
    lines = [f"  {stream:<8}{one.records} records, {one.waiting} wait for the collector; {where}"]
    if one.records:
        lines.append(
            f"          oldest {written(one.oldest_ns) or '?'}  newest {written(one.newest_ns) or '?'}"
        )
    if one.lost:
        lines.append(f"          lost {', '.join(f'{count} {reason}' for reason, count in one.lost.items())}")
    return lines


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _purge(arguments: argparse.Namespace) -> int:
    folder = data_folder(arguments)
    with _held(folder):
        if not arguments.yes and not _agreed(folder):
            raise AgentError("purge", str(folder), "nobody said yes", "Answer 'yes', or give --yes")
        done = purge(folder)
    _print(
        arguments,
        asdict(done) | {"folder": str(folder)},
        f"deleted {done.records} records and {done.media} snapshots and clips in {done.files} files,"
        f" {_size(done.size)}; of the {done.undelivered} records that it did not have, the collector will be"
        " told",
    )
    return EXIT_OK


def _agreed(folder: Path) -> bool:
    if not sys.stdin.isatty():
        return False
    found = stats(folder)
    waiting = sum(one.waiting for one in found.streams.values())
    records = sum(one.records for one in found.streams.values())
    print(f"{records} records in {folder} will be deleted, {waiting} of which the collector does not have.")
    try:
        return input("Type yes to go on: ").strip().lower() == "yes"
    except EOFError:
        return False


def _migrate(arguments: argparse.Namespace) -> int:
    from agent.store.migrate import CURRENT, migrate  # brings sqlite-utils: for this command only

    folder = data_folder(arguments)
    to = arguments.to or CURRENT
    with _held(folder):
        changed = migrate(folder, to)
    words = f"{len(changed)} files brought to version {to}" if changed else f"all files have version {to}"
    _print(arguments, {"folder": str(folder), "version": to, "changed": changed}, words)
    return EXIT_OK


def _print(arguments: argparse.Namespace, body: dict[str, Any], words: str) -> None:
    print(json.dumps(body) if arguments.json else words)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the folder against an agent, as its owner; one that is not there is not made."""
    try:
        there = folder.is_dir()
    except PermissionError as error:
        hint = "Run this as root, or as the agent's user"
        raise FolderUnusable("use data folder", str(folder), "permission denied", hint) from error
    if not there:
        hint = "The agent makes it when it runs; or name another: --folder DIR, or --config FILE"
        raise FolderUnusable("use data folder", str(folder), "there is no such folder", hint)
    _check_ours(folder)
    with as_owner(folder):
        try:
            held = DataFolder(folder)
        except FolderHeld as error:
            hint = "Stop it first: systemctl stop edge-agent"
            raise FolderHeld(error.op, str(folder), error.problem, hint) from error
        with held:
            yield


def _check_ours(folder: Path) -> None:
    """Refuse a folder that no agent has used: whoever mistypes a name loses nothing.

    Raises:
        FolderUnusable: there is neither a state nor a segment in it.
    """
    if not (folder / "state.db").exists() and not segment_files(folder):
        hint = "Give the agent's data folder with --folder"
        raise FolderUnusable("use data folder", str(folder), "no agent has used it", hint)
