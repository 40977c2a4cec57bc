"""Whether another agent sends under this device's id, by what the collector says that it has.

A broker ends the older of two sessions with one client id, and may not say why. The collector's word
names every epoch that it gets: one that is not in our store and still grows is somebody else's.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from agent.link.memory import remember

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.link.ack import Entry

_GROWS_S = 5.0
"""For so long it must grow: what a lost card had sent may wait at the broker, and comes at once."""


class Rivals:
    """Remembers how far epochs had come that are not ours.

    Args:
        ours: whether an epoch is in our store.
    """

    def __init__(self, ours: Callable[[str], bool]) -> None:
        self._ours = ours
        self._seen: OrderedDict[tuple[str, str], tuple[int, float | None]] = OrderedDict()

    def heard(self, streams: Mapping[str, Mapping[str, Entry]], now: float) -> str:
        """Take in an acknowledgement; give an epoch that somebody else is writing, or ""."""
        found = ""
        for stream, epochs in streams.items():
            for epoch, stored in epochs.items():
                if self._grows((stream, epoch), max([stored.upto, *(last for _, last in stored.have)]), now):
                    found = epoch
        return found

    def _grows(self, place: tuple[str, str], last: int, now: float) -> bool:
        before, since = self._seen.get(place, (last, None))
        if self._ours(place[1]):
            return False
        if last > before and since is None:
            since = now
        remember(self._seen, place, (max(last, before), since))
        return last > before and since is not None and now - since >= _GROWS_S
