"""edge-agent media: the snapshots and clips of events that are on this device."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.device.folders import add_folder, data_folder
from agent.cli.terminal.since import add_since
from agent.errors import EXIT_OK, ConfigInvalid, FolderUnusable
from agent.files import advice
from agent.media import ENDINGS, TYPES
from agent.moments import spelled, written
from agent.store.media import FOLDER, listed
from agent.wording import plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from agent.store.media import Kept

HELP = "show the snapshots and clips of events, or copy them out"
DESCRIPTION = """\
Lists the snapshots and clips of events that are still on this device, the oldest first, or copies them into a
folder under names that people can read. The agent may run."""
EPILOG = """\
examples:
  edge-agent media
  edge-agent media --since 2h --json
  edge-agent media export evidence --since 2026-11-25

exit codes: 0 done, 1 it could not be done, 2 usage, 78 the configuration is wrong"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "do", nargs="?", choices=("list", "export"), default="list", help="list them, or copy them; list"
    )
    parser.add_argument(
        "target", nargs="?", type=Path, metavar="DIR", help="where copies go; made when it is not there"
    )
    add_folder(parser)
    add_since(parser)
    parser.add_argument("--json", action="store_true", help="print JSON lines")


def main(arguments: argparse.Namespace) -> int:
    """List or copy.

    Raises:
        ConfigInvalid: it is not said where copies go.
        FolderUnusable: there is no such data folder.
        StoreBusy: it cannot be read.
    """
    target: Path | None = arguments.target
    if (arguments.do == "export") != (target is not None):
        raise ConfigInvalid("export media", "DIR", "export goes with a folder", "edge-agent media export DIR")
    folder = data_folder(arguments)
    found = [one for one in listed(folder) if arguments.since is None or one.wall_ns >= arguments.since]
    if not (found or folder.is_dir()):
        hint = "The agent makes it when it runs; or name another: --folder DIR, or --config FILE"
        raise FolderUnusable("list media", str(folder), "there is no such folder", hint)
    if target is not None:
        found = _copied(folder, found, target)
    for one in found:
        print(json.dumps(_body(one)) if arguments.json else _line(one))
    if not arguments.json:
        words = f"copied into {plain(target, 4096)}" if target else f"in {plain(folder, 4096)}"
        print(f"{len(found)} snapshots and clips {words}")
    return EXIT_OK


def _body(one: Kept) -> dict[str, Any]:
    return {**asdict(one), "time": written(one.wall_ns), "type": TYPES[one.kind], "file": one.name}


def _line(one: Kept) -> str:
    events = plain(", ".join(one.events), 60)
    size = f"{one.bytes / 1000:.1f} kB"
    return f"{spelled(one.wall_ns)}  {one.pipeline}  {events}  {one.kind}  {size}  {one.sha256}"


def _copied(folder: Path, found: Sequence[Kept], target: Path) -> list[Kept]:
    """Copy files; give those that were still there."""
    copied = []
    try:
        target.mkdir(parents=True, exist_ok=True)
        for one in found:
            path = target / _readable(one)
            try:
                shutil.copyfile(folder / FOLDER / one.name, path)
            except FileNotFoundError:
                path.unlink(missing_ok=True)  # the agent has let it go meanwhile
            else:
                copied.append(one)
    except OSError as error:
        problem = error.strerror or str(error)
        raise FolderUnusable("export media", str(target), problem, advice(error)) from error
    return copied


def _readable(one: Kept) -> str:
    """A name that sorts by time: no two media share one, since their content differs."""
    time_of = written(one.wall_ns).replace(":", "") or "unknown"
    return f"{time_of}-{one.pipeline}-{one.frame}-{one.sha256[:8]}{ENDINGS[one.kind]}"
