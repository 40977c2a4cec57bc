"""The newest lines of the log, in memory, redacted: a handler that any thread may log through."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agent.documents.loglines import MOST_TEXT
from agent.events import printable

if TYPE_CHECKING:
    from agent.documents.loglines import Level
    from agent.redaction import Redactor

MOST_LINES, MOST_BYTES = 4000, 1 << 20
FORMAT = "%(asctime)s %(levelname)-7s %(message)s"
"""As a line stands in the log itself."""
_MOST_RAW = 16 << 10
LEVELS: dict[Level, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class Logged:
    """A line; ``n`` counts all that were logged, from 1."""

    n: int
    level: Level
    text: str


class Ring(logging.Handler):
    """Keeps the newest lines.

    Args:
        redactor: takes secrets out before a line is kept.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(FORMAT))
        self._redactor = redactor
        self._guard = threading.Lock()
        self._lines: deque[Logged] = deque(maxlen=MOST_LINES)
        self._bytes = 0
        self.last = 0
        """The number of the newest line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line; a traceback is one line, too."""
        try:
            text = printable(self._redactor.text(self.format(record)[:_MOST_RAW]))[:MOST_TEXT]
        except (TypeError, ValueError, KeyError, IndexError):  # its arguments do not fit its format
            self.handleError(record)
            return
        level = record.levelname.lower() if record.levelname.lower() in LEVELS else "info"
        with self._guard:
            if len(self._lines) == MOST_LINES:
                self._drop()
            self.last += 1
            self._lines.append(Logged(self.last, cast("Level", level), text))
            self._bytes += len(text)
            while self._bytes > MOST_BYTES:
                self._drop()

    def after(self, n: int, level: Level = "debug", most: int = MOST_LINES) -> list[Logged]:
        """Give lines of at least this level whose number is above ``n``: the first so many, in order."""
        with self._guard:
            lines = [one for one in self._lines if one.n > n and LEVELS[one.level] >= LEVELS[level]]
        return lines[:most]

    def newest(self, most: int, level: Level = "debug") -> list[Logged]:
        """Give the newest lines of at least this level, the oldest first."""
        found = self.after(0, level)
        return found[max(0, len(found) - most) :] if most else []

    def _drop(self) -> None:
        self._bytes -= len(self._lines.popleft().text)
