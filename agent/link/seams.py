"""What the delivery needs of the store and of the link, and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.blocks import Position, Stream
    from agent.link.connection import LinkState
    from agent.link.settings import LinkMessage


class Outbox(Protocol):
    """What the delivery needs of the store. All return at once; they are carried out in this order."""

    def lease(self, stream: Stream, after: Position | None, max_bytes: int, token: int) -> None:
        """Ask for blocks after ``after``, or after what is acknowledged; at least one, else ``max_bytes``.

        The answer comes as an event and is passed to ``Delivery.on_leased``.
        """

    def ack(self, stream: Stream, epoch: str, upto: int) -> None:
        """All records of ``epoch`` up to ``upto`` are stored by the collector. Unknown epochs do no harm."""

    def lose(self, stream: Stream, epoch: str, first: int, last: int) -> None:
        """Give up records that no broker takes."""

    def holds(self, epoch: str) -> bool:
        """Whether an epoch is its own, and not wholly delivered."""


class Uplink(Protocol):
    """What the delivery needs of the link."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Queue a message and give its token; raises LinkLost or MessageInvalid."""

    def reconnect(self, problem: str) -> None:
        """Drop a connection that does not do its work, and connect again."""


class Line(Uplink, Protocol):
    """What the agent needs of the link: ``agent.link.mqtt.Link`` says what each does."""

    @property
    def state(self) -> LinkState:
        """Where it stands."""

    @property
    def alive(self) -> bool:
        """Whether it works."""

    @property
    def heartbeat(self) -> float:
        """Monotonic time of its last turn."""

    def start(self) -> None:
        """Connect, and again whenever the link is lost."""

    def settle(self, message: LinkMessage) -> None:
        """Confirm a message to the broker."""

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what is queued, say goodbye, and end."""


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """Counts of one stream's batches; see ``DeliveryStatus``."""

    sent: int
    resent: int
    sent_bytes: int
    in_flight: int
    acked: int


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """Counts since the start.

    Attributes:
        sent: batches published, those that were sent again included.
        resent: batches published again.
        in_flight: batches on their way now.
        streams: the same by stream, and the number of the last record that is acknowledged of the epoch that
            was heard of last.
        acked: the collector's last acknowledgement that was news.
        blocked: why some lane stands still: the broker takes nothing so large, or refuses it; else "".
        unheard_s: seconds since its last word, or since the link came up; 0 without a link.
        silent: the collector has not acknowledged anything for minutes, though batches wait for it.
        live_p95_ms: from a live result's commit to its acknowledgement, over the last minute; None without.
        rate: bytes a second published over the last ten seconds.
    """

    sent: int
    resent: int
    in_flight: int
    streams: Mapping[Stream, StreamStatus]
    acked: Position | None
    blocked: str
    unheard_s: float
    silent: bool
    live_p95_ms: float | None
    rate: int
