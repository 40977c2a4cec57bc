"""The log, as an operator may treat it from afar: read, followed for a while, made more or less talkative."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.documents import loglines
from agent.errands.ring import LEVELS, Ring
from agent.errors import Rejected
from agent.supervision.partners import QuietPartner

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.clock import Clock
    from agent.documents.loglines import Level
    from agent.redaction import Redactor
    from agent.trust.signing import Signer

_EVERY_S = 1.0
LINES_A_SECOND, BYTES_A_SECOND = 20, 64 << 10
_MOST_ANSWER = 48 << 10
"""Bytes of lines in one answer on the local socket."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Where followed lines go.

    Attributes:
        topic: the device's ``up/logs``.
        signer: signs them; None where nothing is signed.
        publish: as of ``partners.Offer``.
    """

    fleet: str
    device: str
    topic: str
    signer: Signer | None
    publish: Callable[[str, bytes, bool], int | None]


class Logs(QuietPartner):
    """A partner of the supervisor, and what commands reach of the log. It begins to keep lines when made.

    Args:
        level: what the configuration has logged.
        redactor: takes secrets out.
        sender: where followed lines go; None without a broker.
        clock: where time comes from.
        logger: whose lines; the root logger, whose handlers write the log.
    """

    def __init__(
        self,
        level: Level,
        redactor: Redactor,
        sender: Sender | None,
        clock: Clock,
        logger: logging.Logger | None = None,
    ) -> None:
        self._logger = logger or logging.getLogger()
        self._configured = self._written = level
        self._sender, self._clock = sender, clock
        self._back_at, self._until, self._due = math.inf, -math.inf, 0.0
        self._following: Level | None = None
        self._seen = self._n = self._dropped = 0
        self.ring = Ring(redactor)
        self._logger.addHandler(self.ring)
        self._apply()

    def level(self, level: Level, seconds: float) -> None:
        """Write from this level on, for so long; then as it is configured again."""
        self._written = level
        self._back_at = self._clock.monotonic() + seconds
        self._apply()

    def recent(self, lines: int, level: Level = "debug") -> list[str]:
        """Give the newest lines of at least this level, the oldest first."""
        return [one.text for one in self.ring.newest(lines, level)]

    def follow(self, seconds: float, level: Level) -> None:
        """Send each line of at least this level upstream, for so long from now.

        Raises:
            Rejected: there is no broker.
        """
        if self._sender is None:
            raise Rejected("follow", "log", "there is no broker to send it to", "Set mqtt.host")
        now = self._clock.monotonic()
        if self._following is None:
            self._seen, self._n, self._dropped, self._due = self.ring.last, 0, 0, now + _EVERY_S
            self._following, self._until = level, now + seconds
        else:  # somebody else follows, too: each gets what he has asked for, and for as long
            self._following = level if LEVELS[level] < LEVELS[self._following] else self._following
            self._until = max(self._until, now + seconds)
        self._apply()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ``{"op": "log", "after": N}`` on the local socket: some lines, and the last one's number."""
        after = request.get("after", 0)
        lines, size = [], 0
        for one in self.ring.after(after if isinstance(after, int) else 0):
            size += len(one.text.encode()) + 4
            if size > _MOST_ANSWER:
                break
            lines.append(one)
        return {"lines": [one.text for one in lines], "after": lines[-1].n if lines else None}

    def tick(self, now: float) -> None:
        """Send what was logged; fall back to what is configured when the time is over."""
        if now >= self._back_at:
            self._written, self._back_at = self._configured, math.inf
            self._apply()
        if self._following is not None and now >= self._due:
            self._due = now + _EVERY_S
            self._send(self._following, last=now >= self._until)

    def next_tick(self, now: float) -> float:
        """Seconds until ``tick`` wants to be called."""
        due = self._due if self._following is not None else math.inf
        return max(0.0, min(due, self._back_at) - now)

    def stop(self) -> None:
        """Go on: the end is logged, too."""

    def close(self) -> None:
        """Keep no more lines."""
        self._following, self._written = None, self._configured
        self._apply()
        self._logger.removeHandler(self.ring)

    def _send(self, level: Level, *, last: bool) -> None:
        sender, size = self._sender, 0
        lines: list[loglines.Line] = []
        found = self.ring.after(self._seen, level)
        for one in found[-LINES_A_SECOND:][::-1]:  # the newest are what somebody looks for
            size += len(one.text.encode())
            if size > BYTES_A_SECOND:
                break
            lines.insert(0, loglines.Line(level=one.level, text=one.text))
        self._seen = self.ring.last
        self._dropped += len(found) - len(lines)
        if sender is not None and (lines or last):
            self._n += 1
            document = loglines.LogLines(
                fleet=sender.fleet, device=sender.device, n=self._n, lines=tuple(lines),
                at=self._clock.wall_ns() // 1_000_000_000, dropped=self._dropped, last=last,
            )  # fmt: skip
            if sender.publish(sender.topic, loglines.encode(document, sender.signer), False) is None:  # noqa: FBT003
                self._dropped += len(lines)
                self._n -= 1
            else:
                self._dropped = 0
        if last:
            self._following = None
            self._apply()

    def _apply(self) -> None:
        """Have the log written as it is wanted, and lines made for whoever follows it more closely."""
        wanted = [self._written, *([self._following] if self._following else [])]
        self._logger.setLevel(min(LEVELS[one] for one in wanted))
        for handler in self._logger.handlers:
            if handler is not self.ring:
                handler.setLevel(LEVELS[self._written])
