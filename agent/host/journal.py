"""How far an update has come, durably: whatever cuts the helper off, its next start goes on, or back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from agent.documents.base import Document, Words, read
from agent.documents.command import Id
from agent.documents.helper import Spared, Version
from agent.errors import MessageInvalid
from agent.files import write_durably
from agent.host.places import read_own

if TYPE_CHECKING:
    from pathlib import Path

NAME = "update.json"
MOST_STARTS = 3
"""So often the helper begins with one step; then it goes back."""

Step = Literal["fetching", "changing", "probation", "returning"]


class Entry(Document):
    """Where an update stands. ``form`` is the data folder's version that the release before reads."""

    v: Literal[1] = 1
    id: Id
    version: Version
    before: Version
    form: int
    online: bool = False
    spared: Spared = ()
    step: Step = "fetching"
    starts: int = 0
    reason: Words = ""


class Journal:
    """The file in the helper's folder."""

    def __init__(self, home: Path) -> None:
        self._path = home / NAME

    def read(self) -> Entry | None:
        """Give what is under way; None for nothing.

        Raises:
            MessageInvalid: somebody has changed the file.
        """
        content = read_own(self._path)
        return None if content is None else read(Entry, content, NAME)

    def write(self, entry: Entry) -> Entry:
        """Keep it; it is durable when this returns.

        Raises:
            MessageInvalid: the disk refuses.
        """
        try:
            write_durably(self._path, entry.model_dump_json().encode())
        except OSError as error:
            raise MessageInvalid("write", str(self._path), error.strerror or "the disk refuses") from error
        return entry

    def close(self) -> None:
        """Nothing is under way any more."""
        self._path.unlink(missing_ok=True)
