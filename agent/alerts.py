"""Events that operators should know of, as records for the alert stream; at most 60 a minute."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.events import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.events import Event

A_MINUTE = 60
_MINUTE_S = 60.0
_MOST_FIELDS = 16
_MOST_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Alert:
    """An event that was logged as a warning or worse.

    Attributes:
        event: its name.
        level: its level's name, lower case.
        captured_ns: when it happened, CLOCK_MONOTONIC.
        fields: what was said beside it, as text.
        suppressed: alerts before this one that were only counted, since there were too many.
    """

    event: str
    level: str
    subject: str
    captured_ns: int
    fields: dict[str, str] = field(default_factory=dict)
    suppressed: int = 0

    def as_json(self) -> dict[str, Any]:
        """The record."""
        body: dict[str, Any] = {
            "kind": "event",
            "event": self.event,
            "level": self.level,
            "subject": self.subject,
            "captured_ns": self.captured_ns,
            "items": [self.fields] if self.fields else [],
        }
        if self.suppressed:
            body["suppressed"] = self.suppressed
        return body


class Alerts:
    """Listens to events and posts those that matter, at most 60 in any minute; safe from any thread.

    A store that fails is an event like others. It cannot feed itself: such events are logged once a minute,
    and only what is logged is heard.

    Args:
        post: takes each ``Alert``; must not block.
    """

    def __init__(self, post: Callable[[object], None]) -> None:
        self._post = post
        self._guard = threading.Lock()
        self._times: deque[float] = deque(maxlen=A_MINUTE)
        self._suppressed = 0

    def __call__(self, event: Event, subject: str, fields: Mapping[str, object]) -> None:
        """Take in an event that was logged."""
        if event.level < logging.WARNING:
            return
        now_ns = time.monotonic_ns()
        with self._guard:
            if len(self._times) == A_MINUTE and now_ns / 1e9 - self._times[0] < _MINUTE_S:
                self._suppressed += 1
                return
            self._times.append(now_ns / 1e9)
            suppressed, self._suppressed = self._suppressed, 0
        said = {_text(key): _text(value) for key, value in list(fields.items())[:_MOST_FIELDS]}
        level = logging.getLevelName(event.level).lower()
        self._post(Alert(event.value, level, _text(subject), now_ns, said, suppressed))


def _text(value: object) -> str:
    """A text that can be stored and printed: some of it comes from peers."""
    return printable(str(value))[:_MOST_CHARACTERS]
