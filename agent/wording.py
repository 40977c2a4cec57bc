"""Results in words, for people: "star 0.97, ring 0.88"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NAME, _VALUE, _TEXT = 40, 24, 200
"""Characters of a label, of a value that has none, and of a text that a model has made up."""
_NAMED = ("event", "label", "track", "zone", "line")


def in_words(items: Sequence[Mapping[str, Any]], *, more: int = 0) -> str:
    """Say what a result holds, whatever that is; ``more`` is how many items were left out of it."""
    words = [item_in_words(item) if isinstance(item, dict) else plain(item, _VALUE) for item in items]
    if more:
        words.append(f"{more} more" if words else f"{more} items")
    return ", ".join(words) or "nothing found"


def events_in_words(events: Sequence[Mapping[str, Any]]) -> str:
    """Say what filters noticed, to stand behind a result: "; line.crossed person gate", or ""."""
    return "".join(f"; {said}" for event in events if (said := event_in_words(event)))


def event_in_words(event: Mapping[str, Any]) -> str:
    """Say what a filter noticed: its name, and to what it happened; then the numbers and words of it."""
    named = [plain(event[key], _NAME) for key in _NAMED if event.get(key) is not None]
    rest = {
        key: event[key] for key in event if key not in _NAMED and isinstance(event[key], str | int | float)
    }
    return " ".join([*named, *(_pair(*one) for one in rest.items())])


def item_in_words(item: Mapping[str, Any]) -> str:
    """Say what one item holds: its label and score, or value; its text, vector, picture; else all of it."""
    label, score, value, text = (item.get(key) for key in ("label", "score", "value", "text"))
    if label is not None and isinstance(score, int | float):
        more = (part(item) for part in (_against_threshold, _extent, _further))
        return f"{plain(label, _NAME)}{_track(item)} {score:.2f}{''.join(more)}"
    if label is not None and isinstance(value, int | float):
        return f"{plain(label, _NAME)}{_ahead(item)} {value:g} {plain(item.get('unit', ''), _NAME)}".rstrip()
    if isinstance(text, str) and isinstance(score, int | float):
        return f'"{plain(text, _TEXT)}" {score:.2f}'
    if isinstance(vector := item.get("vector"), list):
        return f"a vector of {len(vector)} numbers"
    if "png" in item and isinstance(size := item.get("size"), list):
        return "a picture of " + " x ".join(plain(side, _NAME) for side in size[:2][::-1])
    return " ".join(_pair(key, value) for key, value in item.items())


def _pair(key: object, value: object) -> str:
    return f"{plain(key, _NAME)}={plain(value, _VALUE)}"


def _track(item: Mapping[str, Any]) -> str:
    """Say which track an item belongs to; "" for none."""
    track = item.get("track")
    return f" #{track}" if isinstance(track, int) else ""


def _against_threshold(item: Mapping[str, Any]) -> str:
    """Say how an anomaly's error compares with its threshold; "" for other tasks."""
    error, threshold = item.get("error"), item.get("threshold")
    if not isinstance(error, int | float) or not isinstance(threshold, int | float) or threshold <= 0:
        return ""
    return f" ({error / threshold:.1f} x threshold)"


def _extent(item: Mapping[str, Any]) -> str:
    """Say how many joints a pose has, or how much a segment covers; "" for other tasks."""
    if isinstance(keypoints := item.get("keypoints"), list):
        return f" ({len(keypoints)} keypoints)"
    if isinstance(share := item.get("share"), int | float):
        return f" ({share:.0%} of the frame)"
    return ""


def _further(item: Mapping[str, Any]) -> str:
    """Say what further models have found in an item's crop; "" for none."""
    also = item.get("also")
    found = {
        name: one["items"]
        for name, one in (also.items() if isinstance(also, dict) else ())
        if isinstance(one, dict) and isinstance(one.get("items"), list)
    }
    return "".join(f" ({plain(name, _NAME)}: {in_words(items)})" for name, items in found.items())


def _ahead(item: Mapping[str, Any]) -> str:
    """Say how many steps ahead a value of a forecast is; "" for other tasks."""
    step = item.get("step")
    return f" +{step}" if isinstance(step, int) else ""


def failure_in_words(items: Sequence[Mapping[str, Any]]) -> str:
    """Say why a frame has failed, by its record's items; "" where its worker says nothing of it."""
    first = items[0] if items else {}
    return str(first.get("problem", "")) if isinstance(first, dict) else ""


def plain(value: object, most: int) -> str:
    """Give ``value`` as one line of at most ``most`` characters that a terminal may be sent.

    A label comes with a model, and could hold what moves the cursor or colours the screen.
    """
    text = str(value)[: most + 1]
    text = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return text if len(text) <= most else f"{text[: most - 1]}…"
