"""What the helper has done by others, who may do less than it: commands, in files that root writes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agent.documents.base import Document

HOME = "/run/edge-agent-host"
"""Where orders and answers stand: everybody reads, root writes."""
FETCHED = "/var/cache/edge-agent-fetch"
"""Where the unit that fetches may write."""
WHEELS = "wheels"
"""The folder there for what it has fetched; beside it stands what is half done."""
FETCH, TRY = "edge-agent-fetch", "edge-agent-try"
"""The units that obey: one has the network and no rights, one is in all what the agent is."""
MOST_SAID, MOST_PROBLEM = 3000, 300
"""Characters; an answer has at most ``request.MAX_BYTES`` bytes besides."""

_Word = Annotated[str, Field(max_length=1000)]


class Order(Document):
    """A program, and what it is called with."""

    v: Literal[1] = 1
    command: Annotated[tuple[_Word, ...], Field(min_length=1, max_length=32)]


class Done(Document):
    """What became of it: what the program has printed; or the problem, where there is one."""

    v: Literal[1] = 1
    said: Annotated[str, Field(max_length=MOST_SAID)] = ""
    problem: Annotated[str, Field(max_length=MOST_PROBLEM)] = ""


def order_of(unit: str) -> str:
    """Give the name of a unit's order."""
    return f"{unit}.json"


def answer_of(unit: str) -> str:
    """Give the name of its answer: what the unit prints, systemd writes there."""
    return f"{unit}.done"
