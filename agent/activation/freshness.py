"""What the update metadata says of time and versions, as it was proved last; kept over restarts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from agent.documents.base import Document, parse
from agent.documents.reported import Metadata
from agent.errors import MessageInvalid
from agent.events import Event, emit
from agent.processes.message import Count
from agent.slots import Change, Note

if TYPE_CHECKING:
    from agent.slots import Kept
    from agent.updater.messages import Refreshed

NAME = "metadata"
"""The name of the kept document."""


class _Proved(Document):
    """When the timestamp expires, and the latest time at which any of the metadata was signed; seconds."""

    expires: Annotated[Count, Field(ge=0)] = 0
    issued: Annotated[Count, Field(ge=0)] = 0


class Freshness:
    """Holds the floors of versions, and judges by the metadata what the time may be.

    Args:
        kept: what the store holds.

    Attributes:
        floors: the lowest versions that are taken, by name.
        metadata: what is reported of it.
    """

    def __init__(self, kept: Kept) -> None:
        self.floors = dict(kept.floors)
        self.metadata = Metadata()
        self._proved = _Proved()
        if body := kept.documents.get(NAME):
            try:
                self._proved = parse(_Proved, body, NAME)
            except MessageInvalid as error:  # as good as none: the next look brings it
                emit(Event.MESSAGE_REFUSED, NAME, problem=error)

    def refreshed(self, message: Refreshed, fleet: str) -> Change | None:
        """Take in what was proved; give what must be durable before anything that follows from it."""
        self.metadata = Metadata(root=message.root, timestamp=message.timestamp, expires=message.expires)
        clocks = [n for name, n in message.floors.items() if name == "clock" or name.startswith("tuf/clock/")]
        higher = {name: n for name, n in message.floors.items() if n > self.floors.get(name, -1)}
        proved = _Proved(expires=message.expires, issued=max(clocks, default=0))
        if not higher and proved == self._proved:
            return None
        notes = (
            (Note("root.changed", fleet, {"root": message.root}),)
            if any(name.startswith("tuf/root") for name in higher)
            else ()
        )
        self.floors |= higher
        self._proved = proved
        return Change(floors=higher, notes=notes, documents={NAME: proved.model_dump_json().encode()})

    @property
    def floor_s(self) -> int:
        """It is not earlier than this: seconds since 1970, the latest time of issue in proved metadata."""
        return self._proved.issued

    def expired(self, wall_s: int) -> bool:
        """Whether the metadata no longer says who may command, by the later of wall clock and floor."""
        return max(wall_s, self.floor_s) >= self._proved.expires
