"""What the device says of the model that is wanted of it, in words for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORDS = {
    "downloading": "the device fetches it, and hashes each chunk before it is written",
    "verified": "all of it is on the device, as it was signed",
    "proving": "a process of its own proves it: golden answers, time, memory",
    "probation": "on trial: swapped in between two frames, and watched",
    "active": "it serves",
}


def wanted(pipeline: Mapping[str, Any]) -> str:
    """Give the model that is wanted of a pipeline as ``name@version``, "" for none."""
    found = (pipeline["wants"] or {}).get("wanted")
    return f"{found['name']}@{found['version']}" if found else ""


def in_words(wants: Mapping[str, Any]) -> str:
    """Say how far a pipeline is with what is wanted of it, in the device's own words where it says why."""
    state, reason = wants["state"], wants["reason"]
    words = _WORDS.get(state, str(state))
    if not reason:
        return words
    return f"not taken: {reason}" if state == "downloading" else f"{words}: {reason}"
