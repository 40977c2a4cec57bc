"""What the helper tells the agent: what it may do, and what became of a request."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agent.documents.base import Document, Words
from agent.documents.command import Id
from agent.documents.helper import Spared

ABLE, TOLD = "able.json", "told.json"
"""Names of the files in the helper's folder."""
HOME = "/var/lib/edge-agent-host"
"""The helper's folder: only root writes there, everybody reads."""

State = Literal["working", "probation", "refused", "failed", "done"]


class Able(Document):
    """What the helper may do, as of this boot."""

    v: Literal[1] = 1
    boot: Annotated[str, Field(max_length=64)]
    reboot: bool
    update: bool


class Told(Document):
    """What became of the newest request.

    With ``probation``, the release that was installed is to give its word once it was well for ``steady_s``
    seconds on end: all pipelines but the ``spared``, and the link if ``online``.
    """

    v: Literal[1] = 1
    id: Id
    op: Literal["reboot", "update"]
    state: State
    reason: Words = ""
    version: Annotated[str, Field(max_length=64)] = ""
    steady_s: Annotated[float, Field(ge=0, le=86400)] = 0.0
    online: bool = False
    spared: Spared = ()

    @property
    def last(self) -> bool:
        """Whether nothing more follows."""
        return self.state in {"refused", "failed", "done"}
