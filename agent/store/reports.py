"""What the store's thread tells whoever started it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.blocks import Lease, Position
    from agent.errors import AgentError


@dataclass(frozen=True, slots=True)
class Committed:
    """``count`` more records of ``epoch``, up to ``last``, survive a power cut from now on."""

    epoch: str
    last: int
    count: int


@dataclass(frozen=True, slots=True)
class Leased:
    """The answer to one ``lease(after, ...)``; None: nothing follows, or the store cannot read for now."""

    lease: Lease | None
    after: Position | None


@dataclass(frozen=True, slots=True)
class Acked:
    """``count`` more records of ``epoch``, up to ``upto``, are acknowledged."""

    epoch: str
    upto: int
    count: int


@dataclass(frozen=True, slots=True)
class StoreFault:
    """The disk refuses. Said once; the store keeps what it has and tries again by itself."""

    error: AgentError


@dataclass(frozen=True, slots=True)
class StoreRecovered:
    """The disk serves again; nothing was lost."""


StoreReport = Committed | Leased | Acked | StoreFault | StoreRecovered
