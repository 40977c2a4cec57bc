"""The files of a data folder: their versions, and what to do about a file that does not fit.

The folder's version is that of state.db. A segment has the version of the release that last changed its form.
"""

from __future__ import annotations

from typing import Final

from agent.sqlite import MOVE_AWAY, Format

VERSION: Final = 5
SEGMENT_VERSION: Final = 2
_MIGRATE = "edge-agent store migrate"


def form(kind: bytes, version: int, *schema: str) -> Format:
    """Describe a kind of file of the data folder.

    Args:
        kind: four letters, which SQLite keeps as the application id.
        version: the version of its schema.
        schema: the statements that make it.
    """
    return Format(
        kind=int.from_bytes(kind),
        version=version,
        schema=schema,
        foreign=MOVE_AWAY,
        older=f"Stop the agent and run: {_MIGRATE}",
        newer=f"Install the release that wrote it, or have that one run: {_MIGRATE} --to {VERSION}",
    )
