"""What the agent writes for the helper that runs as root: requests, and its word on a new release."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agent.documents.base import Document, Place
from agent.documents.command import Id

REQUEST, WORD = "request.json", "word.json"
"""Names of the files in the agent's folder."""
MAX_BYTES = 8192

Version = Annotated[str, Field(pattern=r"^[0-9][0-9A-Za-z.:+~-]{0,40}$")]
"""A release as package managers name it. It can be no option, no path, and no wildcard."""


Spared = Annotated[tuple[Place, ...], Field(max_length=64)]
"""Pipelines that were not well before an update: nothing is asked of them after it."""


class Request(Document):
    """One request. ``id`` is that of the command; ``online`` says whether the link is up as it is written."""

    v: Literal[1] = 1
    id: Id
    op: Literal["reboot", "update"]
    version: Version | Literal[""] = ""
    online: bool = False
    spared: Spared = ()


class Word(Document):
    """The agent of this version is well, after the update with this id."""

    v: Literal[1] = 1
    id: Id
    version: Annotated[str, Field(max_length=64)]
