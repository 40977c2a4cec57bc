"""What ``edgectl deploy`` shows while it waits, and at the end."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from agent.fleet.columns import columns
from agent.fleet.progress import moving
from agent.wording import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.progress import TaskID

    from agent.fleet.deploying.deploy import Deployed
    from agent.fleet.deploying.standing import Progress

_MIB = 1 << 20
_REASON = 300
_LINES = 20
"""Devices that are followed at a time; more would not fit on a terminal."""


@contextmanager
def following(about: str, *, quiet: bool) -> Iterator[Callable[[str, Progress], None]]:
    """Show where devices stand, on standard error: lines that move on a terminal, else one a change.

    Args:
        about: what is behind each device's name, as a pipeline.
        quiet: nobody reads along.
    """
    if quiet:
        yield lambda _device, _found: None
        return
    if not sys.stderr.isatty():
        yield lambda device, found: print(f"{device} {about}: {in_words(found)}", file=sys.stderr, flush=True)
        return
    with moving() as bar:
        lines: dict[str, TaskID] = {}

        def show(device: str, found: Progress) -> None:
            have, whole = found.have or (0, None)
            if device not in lines and len(lines) < _LINES:
                lines[device] = bar.add_task(device, total=None)
            if device in lines:
                said = f"{device} {about}: {in_words(found)}"
                bar.update(lines[device], description=said, completed=have, total=whole)
                if found.done:
                    bar.remove_task(lines.pop(device))

        yield show


def in_words(found: Progress) -> str:
    """Say where the device stands, in a line."""
    line = found.state
    if found.have:
        line += f" {found.have[0] / _MIB:.1f} of {found.have[1] / _MIB:.1f} MiB"
    return f"{line}: {plain(found.reason, _REASON)}" if found.reason else line


def as_json(done: Sequence[Deployed], pipeline: str, *, one: bool) -> str:
    """Give one JSON object.

    Args:
        done: what came of it.
        pipeline: whose model is told; "" tells of settings.
        one: one device was named: its facts alone.
    """
    facts = [_facts(each, pipeline) for each in done]
    return orjson.dumps(facts[0] if one else {"devices": facts}).decode()


def _facts(done: Deployed, pipeline: str) -> dict[str, Any]:
    wish, found = done.wish, done.progress
    what = (
        {"pipeline": pipeline, "model": str(wish.models[pipeline])}
        if pipeline
        else {"overrides": sorted(wish.overrides), "maintenance": wish.maintenance is not None}
    )
    return {
        "device": wish.device,
        **what,
        "generation": wish.generation,
        "state": found.state,
        ("serves" if pipeline else "holds"): found.good,
        "reason": found.reason,
        "notes": done.notes,
    }


def words(done: Sequence[Deployed], pipeline: str, *, waited: bool) -> str:
    """Give the same for people: a paragraph for one device, a table for several."""
    if len(done) > 1:
        return "\n".join(_table(done, waited=waited))
    (only,) = done
    wish = only.wish
    lines = [f"note: {plain(note, _REASON)}" for note in only.notes]
    what = (
        f"{wish.models[pipeline]} for {wish.device} {pipeline}" if pipeline else f"settings for {wish.device}"
    )
    lines.append(f"sent {what}: generation {wish.generation}")
    lines.append(
        in_words(only.progress) if waited else f"See what comes of it with:  edgectl models {wish.device}"
    )
    return "\n".join(lines)


def _table(done: Sequence[Deployed], *, waited: bool) -> list[str]:
    """Give a line for each device, those that failed first, and a count."""
    rows = [("DEVICE", "GENERATION", "STATE", "REASON")]
    for one in sorted(done, key=lambda each: (each.progress.good, each.wish.device)):
        reason = one.progress.reason or "; ".join(one.notes)
        rows.append(
            (one.wish.device, str(one.wish.generation), one.progress.state, plain(reason, _REASON) or "-")
        )
    good = sum(one.progress.good for one in done)
    return [
        *columns(rows),
        f"sent to {len(done)} devices; {good} have it" if waited else f"sent to {len(done)} devices",
    ]
