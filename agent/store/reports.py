"""What the store's thread tells whoever started it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.blocks import Lease, Stream
    from agent.errors import AgentError


@dataclass(frozen=True, slots=True)
class Committed:
    """``count`` more records of a stream, up to ``last`` of ``epoch``, survive a power cut from now on."""

    stream: Stream
    epoch: str
    last: int
    count: int


@dataclass(frozen=True, slots=True)
class Buffered:
    """The disk refuses, and records wait in memory; they can be leased."""


@dataclass(frozen=True, slots=True)
class Leased:
    """The answer to the ``lease`` that gave this token; None: nothing follows, or it cannot be read now."""

    token: int
    stream: Stream
    lease: Lease | None


@dataclass(frozen=True, slots=True)
class Acked:
    """``count`` more records of a stream, up to ``upto`` of ``epoch``, are acknowledged."""

    stream: Stream
    epoch: str
    upto: int
    count: int


NOBODY = 0
"""The token of changes that the store makes by itself."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The ``change`` that gave this token is durable; ``audit`` is number and hash of the last entry."""

    token: int
    audit: tuple[int, str]


@dataclass(frozen=True, slots=True)
class StoreFault:
    """The disk refuses. Said once for each reason; the store keeps what it has and tries again by itself."""

    error: AgentError


@dataclass(frozen=True, slots=True)
class StoreRecovered:
    """The disk serves again."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What went: records, those of them that the collector did not have, files and their bytes."""

    records: int = 0
    undelivered: int = 0
    files: int = 0
    bytes: int = 0

    def __add__(self, other: Cleared) -> Cleared:
        """Count both."""
        return Cleared(
            self.records + other.records,
            self.undelivered + other.undelivered,
            self.files + other.files,
            self.bytes + other.bytes,
        )


StoreReport = Committed | Buffered | Leased | Acked | Changed | StoreFault | StoreRecovered
