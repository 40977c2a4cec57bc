"""Takes snapshots and clips from workers to the store, so much at a time: none of them can wear the disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from agent.allowance import Allowance
from agent.events import Event, emit
from agent.media import Medium

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.clock import Clock
    from agent.workers.media_messages import Sent

MEDIA_AT_ONCE, MEDIUM_EVERY_S = 32, 1.0
"""Snapshots and clips of one pipeline: so many at once, then one in so many seconds."""
_UNIT = 64 << 10
UNITS_AT_ONCE, UNIT_EVERY_S = 512, 0.0625
"""Their bytes, in units of 64 KiB: 32 MiB at once, then 1 MiB a second."""


class Store(Protocol):
    """What takes them."""

    def keep(self, medium: Medium) -> bool:
        """Take it, with its memory, or say that too many wait."""


class Footage:
    """Dates media of all lanes and hands them on.

    Args:
        store: takes them.
        clock: where time comes from.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._allowances: dict[str, tuple[Allowance, Allowance]] = {}

    def take(self, pipeline: str, media: Sequence[Sent]) -> None:
        """Hand on what a pipeline has sent; what is beyond its allowance is counted and let go."""
        for one in media:
            if (why := self._refusal(pipeline, one)) is not None:
                os.close(one.fd)
                emit(Event.MEDIA_REFUSED, pipeline, kind=one.message.kind, bytes=one.size, why=why)

    def _refusal(self, pipeline: str, one: Sent) -> str | None:
        now = self._clock.monotonic()
        number, size = self._allowances.setdefault(
            pipeline, (Allowance(MEDIA_AT_ONCE, MEDIUM_EVERY_S), Allowance(UNITS_AT_ONCE, UNIT_EVERY_S))
        )
        if not (number.open(now) and size.open(now)):
            return "it sends too many"
        number.spend()
        size.spend(-(-one.size // _UNIT))
        age_ns = max(0, int(now * 1e9) - one.message.captured_ns)
        message = one.message
        medium = Medium(
            fd=one.fd,
            size=one.size,
            kind=message.kind,
            pipeline=pipeline,
            events=message.events,
            frame=message.frame,
            wall_ns=max(0, self._clock.wall_ns() - age_ns),
            clip=message.clip,
        )
        return None if self._store.keep(medium) else "too many wait for the disk"
