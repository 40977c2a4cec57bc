"""Results in words, for people: "star 0.97, ring 0.88"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NAME, _VALUE = 40, 24
"""Characters of a label, and of a value that has none."""


def in_words(items: Sequence[Mapping[str, Any]], *, more: int = 0) -> str:
    """Say what a result holds; ``more`` is how many items were left out of it."""
    words = [item_in_words(item) for item in items]
    if more:
        words.append(f"{more} more" if words else f"{more} items")
    return ", ".join(words) or "nothing found"


def item_in_words(item: Mapping[str, Any]) -> str:
    """Say what one item holds: its label and score, else all that it has."""
    label, score = item.get("label"), item.get("score")
    if label is not None and isinstance(score, int | float):
        return f"{plain(label, _NAME)} {score:.2f}{_against_threshold(item)}{_more(item)}"
    if isinstance(vector := item.get("vector"), list):
        return f"a vector of {len(vector)} numbers"
    if "png" in item and isinstance(size := item.get("size"), list):
        return "a picture of " + " x ".join(plain(side, _NAME) for side in size[:2][::-1])
    return " ".join(f"{plain(key, _NAME)}={plain(value, _VALUE)}" for key, value in item.items())


def _against_threshold(item: Mapping[str, Any]) -> str:
    """Say how an anomaly's error compares with its threshold; "" for other tasks."""
    error, threshold = item.get("error"), item.get("threshold")
    if not isinstance(error, int | float) or not isinstance(threshold, int | float) or threshold <= 0:
        return ""
    return f" ({error / threshold:.1f} x threshold)"


def _more(item: Mapping[str, Any]) -> str:
    """Say what a pose or a segmentation has besides; "" for other tasks."""
    if isinstance(keypoints := item.get("keypoints"), list):
        return f" ({len(keypoints)} keypoints)"
    if isinstance(share := item.get("share"), int | float):
        return f" ({share:.0%} of the frame)"
    return ""


def plain(value: object, most: int) -> str:
    """Give ``value`` as one line of at most ``most`` characters that a terminal may be sent.

    A label comes with a model, and could hold what moves the cursor or colours the screen.
    """
    text = str(value)[: most + 1]
    text = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return text if len(text) <= most else f"{text[: most - 1]}…"
