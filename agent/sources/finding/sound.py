"""Sound cards that can record, as ALSA lists them in /proc/asound."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agent.sources.finding.nodes import text, why_not
from agent.types import Found

if TYPE_CHECKING:
    from pathlib import Path

_PCM = re.compile(r"^(\d{1,3})-(\d{1,3}): ([^:]*):[^:]*:.*\bcapture \d", re.MULTILINE)
_MOST_BYTES = 16 << 10
_BEGINNING = {"window": 16_000}
"""A second of sound, at the rate that speech needs."""


def found(root: Path) -> list[Found]:
    """Give the devices that record; ``root`` stands for "/"."""
    try:
        with (root / "proc/asound/pcm").open("rb") as file:
            listed = file.read(_MOST_BYTES).decode(errors="replace")
    except OSError:
        return []
    return [_device(root, int(card), int(device), name) for card, device, name in _PCM.findall(listed)]


def _device(root: Path, card: int, device: int, name: str) -> Found:
    word = text(root / f"proc/asound/card{card}/id")  # it stays when cards are counted anew
    card_name = f"CARD={word},DEV={device}" if word else f"{card},{device}"
    node = f"/dev/snd/pcmC{card}D{device}c"
    problem, hint = why_not(root, node)
    plain = "".join(one if one.isprintable() else " " for one in name).strip()
    return Found(
        name=plain or "sound card",
        options={"device": f"plughw:{card_name}", **_BEGINNING},
        guessed=tuple(_BEGINNING),
        about=(node,),
        problem=problem,
        hint=hint,
    )
