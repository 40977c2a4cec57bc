"""What our own plugins are tried with, where some option has no default or outputs must fit it."""

from __future__ import annotations

from typing import Any

_LINE = {"name": "gate", "points": [[0.0, 0.5], [1.0, 0.5]]}
_ZONE = {"name": "yard", "points": [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]}
_SCORED = {"outputs": [[1, 6]]}

OWN: dict[tuple[str, str], tuple[dict[str, Any], ...]] = {
    ("decoders", "anomaly"): (
        {"options": {"threshold": 0.05}, "outputs": [[1, 4, 2]], "inputs": [[1, 4, 2]]},
    ),
    ("decoders", "classification"): (_SCORED, {**_SCORED, "options": {"min_score": 0.0}}),
    ("decoders", "detection"): (
        {"outputs": [[1, 5, 4], [1, 5], [1, 5], [1]]},
        {"outputs": [[1, 4, 5, 6], [1, 4, 5, 4]]},
    ),
    ("decoders", "tensor"): ({"outputs": [[1, 3], [2, 2, 2], []]},),
    ("decoders", "sequence"): (
        {
            "outputs": [[1, 5], [1, 5], [1]],
            "model": {"inputs": [["int32", [1, 8]]], "outputs": [["float32", [1, 8, 6]]]},
        },
    ),
    ("filters", "lines"): ({"options": {"lines": [_LINE]}},),
    ("filters", "schedule"): ({"options": {"windows": [{}]}},),
    ("filters", "zones"): ({"options": {"zones": [_ZONE]}},),
    ("gates", "level"): ({"options": {"threshold": 0.5}},),
    ("gates", "schedule"): ({"options": {"windows": [{}]}},),
}
"""By room and name; what is not here is tried with its defaults."""
