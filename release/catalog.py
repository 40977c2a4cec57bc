"""The catalog of the journal, made from docs/events.md: what `journalctl -x` says beside each event.

The format is that of systemd's journal message catalogs: https://systemd.io/CATALOG.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from agent.events import Event
from agent.journal import message_id
from release.source import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = HERE / "docs" / "events.md"
CATALOG = HERE / "systemd" / "edge-agent.catalog"
_ROW = re.compile(r"^\| `([a-z_]+\.[a-z_]+)` \|[^|]*\|[^|]*\| (.+?) \| (.+?) \|$", re.MULTILINE)
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")
_HEAD = "# What the agent's events mean. Made from docs/events.md by: make pages\n"


def catalog(page: str) -> str:
    """Give the catalog of a page of events.

    Raises:
        ValueError: an event has no row in it.
    """
    rows = {name: (what, then) for name, what, then in _ROW.findall(page)}
    if missing := sorted({event.value for event in Event} - rows.keys()):
        raise ValueError(f"{PAGE.name} has no row for {', '.join(missing)}")
    return _HEAD + "".join(_entries(rows))


def _entries(rows: dict[str, tuple[str, str]]) -> Iterator[str]:
    for event in Event:
        what, then = (_plain(text) for text in rows[event.value])
        subject = f"Subject: {event.value} @EDGE_SUBJECT@\nDefined-By: edge-agent\n"
        yield f"\n-- {message_id(event)}\n{subject}\n{what}\n\nWhat to do: {then}\n"


def _plain(text: str) -> str:
    return _LINK.sub(r"\1", text).replace("`", "").replace("\\|", "|")


def main() -> None:
    """Write it anew."""
    CATALOG.write_text(catalog(PAGE.read_text()))
    print(f"wrote {CATALOG.relative_to(HERE)}", file=sys.stderr)


if __name__ == "__main__":
    main()
