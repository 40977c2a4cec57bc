"""The fleet while somebody watches: a table that stays on a terminal, else a line for each change."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from agent.fleet.kept import AT_ONCE
from agent.fleet.looking import table
from agent.fleet.looking.reading import look, sender
from agent.fleet.talk import Talk
from agent.link import topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.fleet.inventory import Entry
    from agent.fleet.looking.facts import Facts
    from agent.fleet.looking.judging import Limits
    from agent.fleet.looking.reading import Reader
    from agent.link.settings import LinkSettings

    Judged = list[tuple[Facts, dict[str, str]]]
    Show = Callable[[Judged, float, str], None]

_EVERY_S = 2.0
_SHARE = 5
"""Of so many moments one is for showing: what a large fleet says must be taken in, too."""
_ASK_S = 600.0
"""A broker may drop news of a large fleet: so often everything is asked for again."""


@dataclass(frozen=True, slots=True)
class Options:
    """Whom to watch, where, and from when on something is red."""

    reader: Reader
    settings: LinkSettings
    fleet: str
    entries: Sequence[Entry]
    limits: Limits


def follow(options: Options, *, as_json: bool) -> None:
    """Watch until ^C.

    Raises:
        LinkLost: the broker does not answer at the start, or refuses us.
    """
    try:
        if sys.stdout.isatty() and not as_json:
            with screen() as show:
                watch(options, show)
        else:
            watch(options, Changes(as_json=as_json))
    except KeyboardInterrupt:
        return  # that is how it ends


def watch(options: Options, show: Show, more: Callable[[], bool] = lambda: True) -> None:
    """Show the fleet, and what changes.

    Args:
        options: whom, where, and from when on something is red.
        show: told of all devices, judged and ordered, of the wall time, and what keeps us from news.
        more: whether to go on.

    Raises:
        LinkLost: the broker does not answer at the start, or refuses us.
    """
    reader, settings, fleet, entries = options.reader, options.settings, options.fleet, options.entries
    few = len(entries) <= AT_ONCE
    facts = {one.device: one for one in look(reader, settings, fleet, entries)}
    listen = [topic for one in entries for topic in topics.said(fleet, one.name)] if few else _all(fleet)
    asked = time.monotonic()
    with Talk(settings, listen) as talk:
        talk.connected()
        while more():
            now, began = time.time(), time.monotonic()
            note = "" if talk.up else "the broker is away"
            show(table.ordered(facts.values(), options.limits, now), now, note)
            wait_s = max(_EVERY_S, _SHARE * (time.monotonic() - began))
            _hear(talk, reader, fleet, facts, began + wait_s)
            if not few and talk.up and time.monotonic() - asked > _ASK_S:
                asked = time.monotonic()
                facts |= {one.device: one for one in look(reader, settings, fleet, entries)}


def _hear(talk: Talk, reader: Reader, fleet: str, facts: dict[str, Facts], until: float) -> None:
    while (left := until - time.monotonic()) > 0:
        message = talk.next(left)
        found = message and sender(fleet, message.topic)
        if message and found and found[0] in facts:
            device, ending = found
            facts[device] = reader.take(facts[device], ending, message.payload)


def _all(fleet: str) -> list[str]:
    return [topics.all_states(fleet), topics.all_vitals(fleet), topics.all_reported(fleet)]


class Changes:
    """Shows the table once, and then a line for each device that has changed.

    Args:
        as_json: a JSON object a line instead.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._before: dict[str, tuple[object, ...]] = {}
        self._note = ""

    def __call__(self, judged: Judged, now_s: float, note: str) -> None:
        """Take in how things stand."""
        if not self._before and not self._json:
            print(
                "\n".join([*table.table(judged, now_s, width=table.WIDE), table.summary(judged)]), flush=True
            )
        first = not self._before
        for one, red in judged:
            after = (one.online, tuple(red), one.generation, _models(one))
            if self._before.get(one.device) != after:
                self._before[one.device] = after
                if self._json:
                    print(orjson.dumps(table.facts_of(one, red, now_s)).decode(), flush=True)
                elif not first:
                    clock = time.strftime("%H:%M:%S", time.localtime(now_s))
                    print(f"{clock} {one.device}: {'; '.join(red.values()) or 'well'}", flush=True)
        if note != self._note:
            self._note = note
            print(note or "the broker is back", file=sys.stderr, flush=True)


def _models(one: Facts) -> tuple[str, ...]:
    return tuple(f"{each.name} {each.model} {each.state}" for each in one.pipelines or one.served)


@contextmanager
def screen() -> Iterator[Show]:
    """Give what keeps the table on a terminal, as many rows of it as there is room for."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(file=sys.stdout), auto_refresh=False, screen=True) as live:

        def show(judged: Judged, now_s: float, note: str) -> None:
            width, height = shutil.get_terminal_size()
            lines = table.table(judged[: max(1, height - 3)], now_s, width=width, color=True)
            hidden = len(judged) - len(lines) + 1
            more = f"; {hidden} more do not fit" if hidden > 0 else ""
            text = "\n".join([*lines, f"{table.summary(judged)}{f'; {note}' if note else ''}{more}"])
            live.update(Text.from_ansi(text), refresh=True)

        yield show
