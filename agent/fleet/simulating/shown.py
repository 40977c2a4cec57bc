"""What edgectl simulate says: a line that is written over, or JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from agent.fleet.simulating.fleet import Sum

_MOST_STANDS = 4


class Teller:
    """Tells how the fleet does.

    Args:
        as_json: one JSON object a line, each time.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._on_terminal = sys.stdout.isatty() and not as_json

    def tell(self, found: Sum) -> None:
        """Say it; without a terminal and --json only the end is told."""
        if self._as_json:
            print(orjson.dumps(found.to_json()).decode(), flush=True)
        elif self._on_terminal:
            print(f"\r{words(found)}\x1b[K", end="", flush=True)

    def end(self, found: Sum) -> None:
        """Say how it ended."""
        if self._as_json:
            self.tell(found)
            return
        if self._on_terminal:
            print()
        print(f"stopped: {words(found)}")
        print(f"CPU {found.cpu_s:.1f} s, memory {found.kb_a_device:.0f} KB a device", flush=True)


def words(found: Sum) -> str:
    """Say in a line how the fleet does."""
    counts = found.counts
    stands = ", ".join(f"{count:,} {where}" for where, count in found.stands.most_common(_MOST_STANDS))
    problem = f"; {found.problem}" if found.problem and not found.over else ""
    return (
        f"{counts['online']:,} of {found.devices:,} online; {counts['records']:,} results, "
        f"{counts['stored']:,} stored, {counts['lost']:,} lost; {counts['batches']:,} batches; "
        f"{stands}{problem}"
    )
