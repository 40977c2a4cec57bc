"""Records as the recorder gives them to the store: a classifier's three best, on a camera of 30 frames/s."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

LABELS = ("arrow", "box", "cross", "drop", "heart", "moon", "ring", "star")
PERIOD_NS = 1_000_000_000 // 30
_SHA256 = "395f9d7012e661255853fcca814d7be1b01af34d8f7b6aa8746b2a3052927cd6"


def records(count: int, first: int, began_ns: int, noise: random.Random) -> list[dict[str, Any]]:
    """Make ``count`` records from frame ``first`` on: scores and times differ in each."""
    return [
        {
            "pipeline": "door",
            "model": "glyphs@1.0.0",
            "sha256": _SHA256,
            "delegate": "xnnpack",
            "frame": frame,
            "captured_ns": began_ns + frame * PERIOD_NS + noise.randrange(2_000_000),
            "infer_us": noise.randrange(600, 900),
            "kind": "classification",
            "items": _items(noise),
        }
        for frame in range(first, first + count)
    ]


def ledger(frames: int) -> dict[str, Any]:
    """A pipeline's ledger after so many frames."""
    return {
        "captured": frames,
        "inferred": frames,
        "gated": 0,
        "dropped": {},
        "failed": {},
        "lost": 0,
        "in_flight": 0,
    }


def _items(noise: random.Random) -> list[dict[str, Any]]:
    scores = sorted((noise.randrange(257) / 256 for _ in range(3)), reverse=True)
    best = noise.sample(range(len(LABELS)), 3)
    return [{"label": LABELS[i], "index": i, "score": round(s, 6)} for i, s in zip(best, scores, strict=True)]
