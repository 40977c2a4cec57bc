"""Numbers on the command line, with bounds that the usage error names."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

N = TypeVar("N", int, float)


def number(kind: Callable[[str], N], low: float, high: float) -> Callable[[str], N]:
    """Make an argparse type: a number from ``low`` to ``high``, NaN excluded."""

    def parse(text: str) -> N:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:,} to {high:,}")
        return value

    return parse
