"""The collector: batches come in, are stored, and are acknowledged; in this order, whatever happens between.

The watermark goes out as a retained message, and again for duplicates: a device deletes nothing without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from agent.errors import LinkLost, MessageInvalid, NotSigned, StoreBusy, WrongSender
from agent.events import Event, emit
from agent.fleet.warehouse import Incoming
from agent.link import ack, batch, topics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.errors import Refusal
    from agent.fleet.ranges import Watermark
    from agent.fleet.unpacking import Unpacked
    from agent.fleet.warehouse import Stored
    from agent.link.settings import LinkMessage
    from agent.signing import Signer, Verifier

_RETRY_S = 1.0
_QUIET_S = 0.05
"""So long after the last batch the next one is waited for no longer."""
_SLICE, _MANY = 512, 4096
"""About so many records become rows in one go while batches come, and when none does."""
_SHARE, _FAIR_SHARE = 0.1, 0.5
"""What part of the time goes into rows while batches come: little, until too much has gathered."""
_TOO_FAR_BEHIND = 2_000_000
"""Records; more than a device gathers in half a day."""

Watermarks = dict[str, dict[str, "Watermark"]]
"""By stream and epoch."""


class Warehouse(Protocol):
    """Where batches go. See ``agent.fleet.warehouse``."""

    def store(self, batches: Sequence[Incoming]) -> list[Stored]:
        """Store in one transaction; raises StoreBusy."""

    def unpack(self, most: int) -> Unpacked:
        """Make rows of about ``most`` of the records that are stored; raises StoreBusy."""

    def watermarks(self, device: str) -> Mapping[str, Mapping[str, Watermark]]:
        """What is stored of a device's last epochs."""

    def devices(self) -> Sequence[str]:
        """Every device that has sent something."""


class Keys(Protocol):
    """Whose batches count, and what acknowledgements are signed with. See ``agent.fleet.keys``."""

    @property
    def signer(self) -> Signer:
        """The collector's own key."""

    def verifier(self, device: str) -> Verifier | None:
        """The key of a device; None when there is none."""


class Downlink(Protocol):
    """What the collector needs of the link."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Queue a message; raises LinkLost or MessageInvalid."""

    def settle(self, message: LinkMessage) -> None:
        """Confirm a message to the broker."""


@dataclass(slots=True)
class Totals:
    """Counts since the start.

    Attributes:
        batches: came to the database.
        refused: batches that broke the protocol.
        new: records that were stored.
        duplicate: records that were there already.
        behind: records that are stored, and no rows yet.
        damaged: blocks that did not unpack.
    """

    batches: int = 0
    refused: int = 0
    new: int = 0
    duplicate: int = 0
    behind: int = 0
    damaged: int = 0


@dataclass(slots=True)
class _Owed:
    """An acknowledgement that is still to be sent."""

    again: bool
    fresh: Watermarks


class Collector:
    """Stores batches and acknowledges them. For one thread.

    Args:
        fleet: whose devices to listen to.
        warehouse: where batches are stored.
        link: where acknowledgements go.
        keys: the devices' keys, and our own; None takes batches unproven and signs nothing.
        max_bytes: how many bytes of batches may wait while the disk refuses.
    """

    def __init__(
        self,
        fleet: str,
        warehouse: Warehouse,
        link: Downlink,
        keys: Keys | None = None,
        *,
        max_bytes: int = 64 << 20,
    ) -> None:
        self._fleet = fleet
        self._warehouse = warehouse
        self._link = link
        self._keys = keys
        self._max_bytes = max_bytes
        self._waiting: list[tuple[LinkMessage, Incoming]] = []
        self._bytes = 0
        self._owed: dict[str, _Owed] = {}
        self._greeting = False
        self._retry_at = 0.0
        self._quiet_at = 0.0
        self._unpack_at = 0.0
        self._unpacking = True  # an earlier run may have left some
        self.totals = Totals()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be stored or acknowledged."""
        return not (self._waiting or self._owed or self._greeting)

    def unpack(self, now: float, *, busy: bool) -> bool:
        """Make rows of some of what is stored, between batches: a device waits for these, and nobody for rows.

        Args:
            now: monotonic, seconds.
            busy: whether batches came just now.

        Returns:
            Whether there is more to do, and the disk lets us.

        Raises:
            FolderUnusable: the database is damaged.
        """
        if not self._unpacking or now < self._retry_at:
            return False
        if busy:
            self._quiet_at = now + _QUIET_S
        quiet = now >= self._quiet_at
        if not quiet and now < self._unpack_at:
            return True
        try:
            done = self._warehouse.unpack(_MANY if quiet else _SLICE)
        except StoreBusy as error:
            emit(Event.STORE_FAILED, "warehouse", error=error)
            self._retry_at = now + _RETRY_S
            return False
        share = _SHARE if done.behind < _TOO_FAR_BEHIND else _FAIR_SHARE
        self._unpack_at = now + done.seconds / share
        self.totals.behind = done.behind
        self._unpacking = done.behind > 0
        self.totals.damaged += len(done.bad)
        for device, problem in done.bad:
            emit(Event.BLOCK_DAMAGED, device, problem=problem)
        return self._unpacking

    def on_link_up(self) -> None:
        """Tell every known device what is stored, and ask for the rest: the broker may have forgotten it."""
        self._greeting = True

    def take(self, messages: Sequence[LinkMessage], now: float) -> None:
        """Take in batches; store what waits; send the acknowledgements that the link takes now.

        A full disk keeps batches waiting, unconfirmed; a later call tries again.

        Raises:
            FolderUnusable: the database is damaged.
        """
        for message in messages:
            self._receive(message)
        if now < self._retry_at:
            return
        try:
            self._greet()
            self._store()
            self._send()
        except StoreBusy as error:
            emit(Event.STORE_FAILED, "warehouse", error=error)
            self._retry_at = now + _RETRY_S

    def _receive(self, message: LinkMessage) -> None:
        """Keep a message for the next transaction, or refuse it."""
        try:
            incoming = self._read(message)
        except MessageInvalid as error:
            self._refuse(message.topic, error)
        else:
            if incoming is not None and self._bytes < self._max_bytes:
                self._waiting.append((message, incoming))
                self._bytes += len(message.payload)
                return
            # Dropped here or, empty, by the inbox: its device sends it again.
            if incoming is not None:
                self._refuse(incoming.device, "too much waits for the disk")
        self._link.settle(message)

    def _read(self, message: LinkMessage) -> Incoming | None:
        if not message.payload:
            return None
        device = topics.sender_of_batch(self._fleet, message.topic)
        verifier = None
        if self._keys is not None and (verifier := self._keys.verifier(device)) is None:
            hint = "Make or copy it: edgectl init DIR --device ID"
            raise NotSigned("verify", "batch", f"there is no key of {device}", hint)
        found = batch.decode(message.payload, verifier)
        if found.device != device:
            raise WrongSender("read", "batch", f"{device!r} sent it, and it says {found.device!r}")
        if topics.up_batches(self._fleet, device)[found.lease.stream] != message.topic:
            raise MessageInvalid("read", "batch", f"stream {found.lease.stream!r} has another topic")
        return Incoming(device, found.lease)

    def _greet(self) -> None:
        if self._greeting:
            for device in self._warehouse.devices():
                self._owe(device).again = True
            self._greeting = False

    def _store(self) -> None:
        """Store what waits, in one transaction."""
        if not self._waiting:
            return
        for stored in self._warehouse.store([incoming for _, incoming in self._waiting]):
            came = stored.batch
            self.totals.batches += 1
            self.totals.new += stored.new
            self.totals.duplicate += stored.duplicate
            self.totals.behind += stored.new
            self._unpacking = self._unpacking or stored.new > 0
            if stored.watermark is None:
                self._refuse(came.device, stored.refused)
            else:
                _, stream, epoch = came.place
                self._owe(came.device).fresh.setdefault(stream, {})[epoch] = stored.watermark
        for message, _ in self._waiting:
            self._link.settle(message)
        self._waiting.clear()
        self._bytes = 0

    def _refuse(self, subject: str, problem: object) -> None:
        self.totals.refused += 1
        refusal: Refusal = problem.refusal if isinstance(problem, MessageInvalid) else "flood"
        emit(Event.BATCH_REFUSED, subject, refusal=refusal, problem=problem)

    def _owe(self, device: str) -> _Owed:
        return self._owed.setdefault(device, _Owed(again=False, fresh={}))

    def _send(self) -> None:
        """Publish what is owed, as far as the link takes it."""
        for device, owed in list(self._owed.items()):
            streams = owed.fresh
            for stream, epochs in self._warehouse.watermarks(device).items():
                # What has just been stored stands first, and is never cut off.
                streams[stream] = {**streams.get(stream, {}), **epochs}
            document = ack.encode(
                device, streams, again=owed.again, signer=self._keys.signer if self._keys else None
            )
            try:
                self._link.publish(topics.down_ack(self._fleet, device), document, retain=True)
            except LinkLost:
                return
            except MessageInvalid as error:
                emit(Event.MESSAGE_REFUSED, device, problem=error)
            del self._owed[device]
