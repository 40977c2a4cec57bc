"""What a result's events get: a snapshot of their frame, a clip of what surrounds it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent.media import MAX_MEDIUM, TYPES
from agent.pipeline.draw import annotated
from agent.pipeline.media.picture import as_jpeg, fitted, is_picture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.config.media import Media
    from agent.pipeline.media.film import Film, Sends
    from agent.pipeline.slot import Item
    from agent.pipeline.steps import Held
    from agent.types import Array, Result

_MOST_NAMES = 64
"""Names of events whose last picture is remembered; the one that was longest ago is forgotten."""
_MOST_TOLD, _LONGEST = 8, 200
"""Names that a medium tells of its events, and characters of each."""


class Picturing:
    """Adds ``media`` to events that are to have some: kind, type, and how they are found.

    A snapshot is called by its SHA-256, which is known at once; a clip by an id, which the index of media
    leads from to its content, since that is not over yet.

    Args:
        table: what was configured.
        send: takes snapshots.
        film: makes clips; None for none.
    """

    reason = "media"

    def __init__(self, table: Media, send: Sends, film: Film | None) -> None:
        self._table = table
        self._send = send
        self._film = film
        self._last: dict[str, int] = {}

    def __call__(self, item: Item, result: Result) -> Result | Held:
        """Give the result, with media in those of its events that are due for some."""
        chosen = [at for at, event in enumerate(result.events) if self._chooses(event)]
        due = [at for at in chosen if self._due(_name(result.events[at]), item.info.captured_ns)]
        if not due:
            return result
        names = tuple(dict.fromkeys(_name(result.events[at])[:_LONGEST] for at in due))[:_MOST_TOLD]
        media = self._media(item, result, names)
        if not media:
            return result
        for at in due:
            self._remember(_name(result.events[at]), item.info.captured_ns)
        events = ({**event, "media": media} if at in due else event for at, event in enumerate(result.events))
        return replace(result, events=tuple(events))

    def _media(self, item: Item, result: Result, names: tuple[str, ...]) -> list[dict[str, Any]]:
        media = []
        if self._table.snapshot and item.pixels is not None and is_picture(item.pixels):
            media += self._snapshot(item.pixels, item, result, names)
        if self._film is not None and (clip := self._film.clip(names, item.info)):
            media.append({"kind": "clip", "type": TYPES["clip"], "clip": clip})
        return media

    def _snapshot(
        self, pixels: Array, item: Item, result: Result, names: tuple[str, ...]
    ) -> list[dict[str, Any]]:
        picture = fitted(pixels, self._table.width)
        if self._table.draw and picture.shape[2:] == (3,):
            picture = annotated(picture, result)
        jpeg = as_jpeg(picture, self._table.quality)
        if len(jpeg) > MAX_MEDIUM:
            return []
        head = {
            "type": "medium",
            "kind": "snapshot",
            "events": names,
            "frame": item.info.seq,
            "captured_ns": item.info.captured_ns,
        }
        self._send(head, len(jpeg), (jpeg,))
        digest = hashlib.sha256(jpeg).hexdigest()
        return [{"kind": "snapshot", "type": TYPES["snapshot"], "sha256": digest, "bytes": len(jpeg)}]

    def _chooses(self, event: Mapping[str, Any]) -> bool:
        named = "*" in self._table.on or _name(event) in self._table.on
        return named and (not self._table.labels or event.get("label") in self._table.labels)

    def _due(self, name: str, now_ns: int) -> bool:
        last = self._last.get(name)
        return last is None or now_ns - last >= self._table.every_s * 1e9

    def _remember(self, name: str, now_ns: int) -> None:
        self._last.pop(name, None)
        self._last[name] = now_ns
        if len(self._last) > _MOST_NAMES:
            del self._last[next(iter(self._last))]


def _name(event: Mapping[str, Any]) -> str:
    return str(event.get("event", ""))
