"""A device's log from afar: its newest lines, and those to come."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import orjson

from agent.documents import loglines
from agent.documents.loglines import MOST_TEXT
from agent.errors import ConfigInvalid, MessageInvalid
from agent.fleet.keys import DeviceKeys
from agent.wording import plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.documents.loglines import Level, LogLines
    from agent.fleet.commanding.commander import Commander
    from agent.fleet.commanding.gathering import Result
    from agent.link.settings import LinkMessage

FOLLOW_S = 300.0
"""For so long a device is asked to send lines: so long it goes on when nobody hears them any more."""
_RENEW_S = 240.0
_TRY_S = 30.0
_HEAR_S = 1.0
_OLD_S = 60
"""Lines that the device has sent so long before it was asked were played back by somebody."""


class Tail:
    """Shows lines of one device's log, none of which may steer a terminal.

    Args:
        folder: the operator's.
        fleet: the fleet.
        device: whose log it is.
        unsigned: believe lines without a signature.
        as_json: a JSON object a line.
    """

    def __init__(self, folder: Path, fleet: str, device: str, *, unsigned: bool, as_json: bool) -> None:
        self._keys = DeviceKeys(folder, unsigned=unsigned)
        self._fleet = fleet
        self._device = device
        self._json = as_json
        self._waiting: list[LogLines] | None = []
        self._n = 0
        self._since = 0
        self._refused = False

    def begin(self, result: Result) -> None:
        """Show the lines that came with the command, and then what has come beside it."""
        lines = result.outcome.result.get("lines", []) if result.outcome else []
        self._since = result.outcome.at - _OLD_S if result.outcome else 0
        for text in lines if isinstance(lines, list) else []:
            self._show(str(text))
        waiting, self._waiting = self._waiting or [], None
        for found in waiting:
            self._lines(found)

    def heard(self, message: LinkMessage) -> None:
        """Take in a message with lines."""
        try:
            verifier = self._keys.verifier(self._device)
            found = loglines.decode(message.payload, verifier, fleet=self._fleet, device=self._device)
        except (MessageInvalid, ConfigInvalid) as error:
            self._refuse(error.problem)
            return
        if self._waiting is None:
            self._lines(found)
        elif len(self._waiting) < loglines.MOST_LINES:
            self._waiting.append(found)

    def _refuse(self, problem: str) -> None:
        if not self._refused:
            self._note(f"lines came that do not count: {problem}")
        self._refused = True

    def _lines(self, found: LogLines) -> None:
        if found.at < self._since:
            self._refuse("the device has sent them long before it was asked")
            return
        if self._n < found.n - 1 and self._n:
            self._note(f"{found.n - 1 - self._n} messages with lines were lost on the way")
        self._n = found.n
        if found.dropped:
            self._note(f"the device has left out {found.dropped} lines: there were too many")
        for line in found.lines:
            self._show(line.text, line.level)

    def _show(self, text: str, level: Level | None = None) -> None:
        if self._json:
            print(orjson.dumps({"text": text, **({"level": level} if level else {})}).decode(), flush=True)
        else:
            print(plain(text, MOST_TEXT), flush=True)

    def _note(self, words: str) -> None:
        print(f"edgectl: {self._device}: {words}", file=sys.stderr, flush=True)


def follow(commander: Commander, tail: Tail, ask: Callable[[int], Result], lines: int) -> Result:
    """Show lines, and those to come, until ^C; ends by itself only where the device refuses.

    Args:
        commander: connected; it passes what it hears to ``tail``.
        tail: shows them.
        ask: has the device follow, and give so many lines first; gives what came of it.
        lines: so many lines at first.

    Raises:
        LinkLost: the broker refuses us, or is away for too long when the device is to be asked again.
    """
    result = ask(lines)
    tail.begin(result)
    while result.outcome is None or result.good:
        until = time.monotonic() + (_RENEW_S if result.good else _TRY_S)
        while time.monotonic() < until:
            commander.hear(_HEAR_S)
        result = ask(0)
    return result
