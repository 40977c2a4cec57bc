"""What ``edgectl deploy`` shows while it waits, and at the end."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import orjson

from agent.wording import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.fleet.deploying.deploy import Deployed
    from agent.fleet.deploying.standing import Progress

_MIB = 1 << 20
_REASON = 300


@contextmanager
def following(what: str, *, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Show where the device stands, on standard error: a line that moves on a terminal, else one a change."""
    if quiet:
        yield lambda _: None
        return
    if not sys.stderr.isatty():
        yield lambda found: print(f"{what}: {in_words(found)}", file=sys.stderr, flush=True)
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)

        def show(found: Progress) -> None:
            have, whole = found.have or (0, None)
            bar.update(task, description=f"{what}: {in_words(found)}", completed=have, total=whole)

        yield show


def in_words(found: Progress) -> str:
    """Say where the device stands, in a line."""
    line = found.state
    if found.have:
        line += f" {found.have[0] / _MIB:.1f} of {found.have[1] / _MIB:.1f} MiB"
    return f"{line}: {plain(found.reason, _REASON)}" if found.reason else line


def as_json(done: Deployed, pipeline: str) -> str:
    """Give one JSON object."""
    wish, found = done.wish, done.progress
    return orjson.dumps(
        {
            "device": wish.device,
            "pipeline": pipeline,
            "model": str(wish.models[pipeline]),
            "generation": wish.generation,
            "state": found.state,
            "serves": found.good,
            "reason": found.reason,
            "notes": done.notes,
        }
    ).decode()


def words(done: Deployed, pipeline: str, *, waited: bool) -> str:
    """Give the same for people."""
    wish = done.wish
    lines = [f"note: {plain(note, _REASON)}" for note in done.notes]
    lines.append(f"sent {wish.models[pipeline]} for {wish.device} {pipeline}: generation {wish.generation}")
    lines.append(
        in_words(done.progress) if waited else f"See what comes of it with:  edgectl models {wish.device}"
    )
    return "\n".join(lines)
