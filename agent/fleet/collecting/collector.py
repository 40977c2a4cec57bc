"""The collector: batches come in, are stored, and are acknowledged; in this order, whatever happens between.

The watermark goes out as a retained message, and again for duplicates: a device deletes nothing without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import LinkLost, MessageInvalid, NotSigned, StoreBusy, WrongSender
from agent.events import Event, emit
from agent.fleet import states
from agent.fleet.collecting.greeting import Greeting
from agent.fleet.collecting.incoming import Incoming
from agent.fleet.collecting.turns import Turns
from agent.link import ack, batch, topics

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.errors import Refusal
    from agent.fleet.collecting.outlet import Outlet
    from agent.fleet.collecting.seams import Downlink, Keys, Warehouse, Watermarks
    from agent.fleet.states import State
    from agent.link.settings import LinkMessage
    from agent.trust.signing import Verifier

_URGENT = ("alert", "live")
"""The lanes for which people may be waiting: what comes by them becomes rows at once, or next."""
_RETRY_S = 1.0
_MOST_STATES = 10_000
"""States that wait for the disk; a device tells its state again when it connects."""


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
        states_refused: what devices said of themselves, and broke the protocol or have no key here.
    """

    batches: int = 0
    refused: int = 0
    new: int = 0
    duplicate: int = 0
    behind: int = 0
    damaged: int = 0
    states_refused: int = 0


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
        outlet: writes each record before it becomes a row.
    """

    def __init__(
        self,
        fleet: str,
        warehouse: Warehouse,
        link: Downlink,
        keys: Keys | None = None,
        *,
        max_bytes: int = 64 << 20,
        outlet: Outlet | None = None,
    ) -> None:
        self._outlet = outlet
        self._fleet = fleet
        self._warehouse = warehouse
        self._link = link
        self._keys = keys
        self._max_bytes = max_bytes
        self._waiting: list[tuple[LinkMessage, Incoming]] = []
        self._bytes = 0
        self._owed: dict[str, _Owed] = {}
        self._states: dict[str, State] = {}
        self._greeting = Greeting(warehouse.devices)
        self._retry_at = 0.0
        self._turns = Turns()
        self._unpacking = True  # an earlier run may have left some
        self.totals = Totals()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be stored or acknowledged."""
        return not (self._waiting or self._owed or self._states or self._greeting.going_on)

    @property
    def greeting(self) -> bool:
        """Whether there are devices that are still to be told what is stored."""
        return self._greeting.going_on

    def unpack(self, now: float, *, busy: bool) -> bool:
        """Make rows of some of what is stored, when no batch is more urgent.

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
        most = self._turns.most(now, busy=busy)
        if not (most or self._warehouse.urgent):
            return True
        try:
            done = self._warehouse.unpack(most, self._outlet)
        except StoreBusy as error:
            emit(Event.STORE_FAILED, "warehouse", error=error)
            self._retry_at = now + _RETRY_S
            return False
        self._turns.took(done.seconds, now, done.behind)
        self.totals.behind = done.behind
        self._unpacking = done.behind > 0
        self._damaged(done.bad)
        return self._unpacking

    def on_link_up(self) -> None:
        """Tell every known device what is stored, and ask for the rest: the broker may have forgotten it."""
        self._greeting.begin()

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
            self._greet(now)
            self._store()
            self._send()
        except StoreBusy as error:
            emit(Event.STORE_FAILED, "warehouse", error=error)
            self._retry_at = now + _RETRY_S

    def _receive(self, message: LinkMessage) -> None:
        """Keep a message for the next transaction, or refuse it."""
        device = topics.sender_of_state(self._fleet, message.topic)
        if device is not None:
            self._receive_state(device, message)
        elif self._receive_batch(message):
            return  # it is confirmed when it is stored
        self._link.settle(message)

    def _receive_state(self, device: str, message: LinkMessage) -> None:
        """Take in what a device says of itself: nobody signs it, but strangers get no row."""
        if not message.payload:
            return
        try:
            self._verifier(device, "state")
            state = states.decode(message.payload)
        except MessageInvalid as error:
            self.totals.states_refused += 1
            emit(Event.MESSAGE_REFUSED, message.topic, refusal=error.refusal, problem=error)
            return
        if len(self._states) < _MOST_STATES:
            self._states[device] = state

    def _receive_batch(self, message: LinkMessage) -> bool:
        """Say whether it waits now; if not it is refused, or empty."""
        if not message.payload:
            return False
        try:
            incoming = self._read(message)
        except MessageInvalid as error:
            self._refuse(message.topic, error)
            return False
        if self._bytes >= self._max_bytes:  # its device sends it again
            self._refuse(incoming.device, "too much waits for the disk")
            return False
        self._waiting.append((message, incoming))
        self._bytes += len(message.payload)
        return True

    def _read(self, message: LinkMessage) -> Incoming:
        device = topics.sender_of_batch(self._fleet, message.topic)
        found = batch.decode(message.payload, self._verifier(device, "batch"))
        if (found.fleet, found.device) != (self._fleet, device):
            says = f"it says {found.device!r} of {found.fleet!r}"
            raise WrongSender("read", "batch", f"{device!r} of {self._fleet!r} sent it, and {says}")
        if topics.up_batches(self._fleet, device)[found.lease.stream] != message.topic:
            raise MessageInvalid("read", "batch", f"stream {found.lease.stream!r} has another topic")
        return Incoming(device, found.lease, fresh=found.lane in _URGENT)

    def _verifier(self, device: str, what: str) -> Verifier | None:
        if self._keys is None:
            return None
        if (verifier := self._keys.verifier(device)) is None:
            hint = "Make or copy it: edgectl init DIR --device ID"
            raise NotSigned("verify", what, f"there is no key of {device}", hint)
        return verifier

    def _greet(self, now: float) -> None:
        if not self._owed:  # the page before is told: the link keeps up
            for device in self._greeting.page(now):
                self._owe(device).again = True

    def _store(self) -> None:
        """Store what waits, in one transaction."""
        if self._states:
            self._warehouse.told(self._states)
            self._states.clear()
        if not self._waiting:
            return
        incoming = [one for _, one in self._waiting]
        for stored in self._warehouse.store(incoming, at_once=self._outlet is None):
            came = stored.batch
            self.totals.batches += 1
            self.totals.new += stored.new
            self.totals.duplicate += stored.duplicate
            self.totals.behind += stored.new - stored.rows
            self._unpacking = self._unpacking or stored.new > stored.rows
            self._damaged((came.device, problem) for problem in stored.bad)
            _, stream, epoch = came.place
            self._owe(came.device).fresh.setdefault(stream, {})[epoch] = stored.watermark
        for message, _ in self._waiting:
            self._link.settle(message)
        self._waiting.clear()
        self._bytes = 0

    def _damaged(self, blocks: Iterable[tuple[str, MessageInvalid]]) -> None:
        for device, problem in blocks:
            self.totals.damaged += 1
            emit(Event.BLOCK_DAMAGED, device, problem=problem)

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
                self._fleet,
                device,
                streams,
                again=owed.again,
                signer=self._keys.signer if self._keys else None,
            )
            try:
                self._link.publish(topics.down_ack(self._fleet, device), document, retain=True)
            except LinkLost:
                return
            except MessageInvalid as error:
                emit(Event.MESSAGE_REFUSED, device, problem=error)
            del self._owed[device]
