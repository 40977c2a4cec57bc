"""Puts what lanes report into the store: results, each with its model, and the frame ledgers beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from agent.blocks import Stream
    from agent.clock import Clock
    from agent.ledger import Ledger
    from agent.workers.messages import Ready
    from agent.workers.record import Record

_NOTE_S = 10.0
"""A ledger that moves without results is sent at most so often."""


class Lane(Protocol):
    """What the recorder looks at of a lane."""

    @property
    def name(self) -> str:
        """The pipeline's name."""

    @property
    def ready(self) -> Ready | None:
        """What the worker said of its model."""

    @property
    def ledger(self) -> Ledger:
        """The pipeline's accounts, as of the last message."""


class Store(Protocol):
    """What the recorder needs of the store."""

    def put(
        self,
        records: Sequence[Mapping[str, Any]],
        ledgers: Mapping[str, Mapping[str, Any]],
        stream: Stream = "result",
    ) -> None:
        """Take records, and the ledgers as of the last of them."""


class Recorder:
    """Gives the store records of all lanes, always with the ledgers that include just these.

    Args:
        store: where records go.
        lanes: all lanes of the agent.
        clock: dates the notes.
        urgent: names of the lanes whose records, and so their ledgers, are alerts.
        alerting: for other lanes by name, the events that make a record an alert; "*" stands for all.
    """

    def __init__(
        self,
        store: Store,
        lanes: Sequence[Lane],
        clock: Clock,
        urgent: Collection[str] = (),
        alerting: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._urgent = urgent
        self._alerting = alerting or {}
        self._store = store
        self._lanes = lanes
        self._clock = clock
        self._known: dict[str, dict[str, Any]] = {}
        self._next_look = 0.0

    def keep(self, lane: Lane, records: Sequence[Record]) -> None:
        """Store the records that a lane has just reported; those that are alerts for their events go first.

        Such an alert may be stored before a ledger counts its frame: the ledger goes with the next result, or
        is noted.
        """
        if not records:
            return
        whose: dict[str, Any] = {"pipeline": lane.name}
        if lane.ready is not None:
            ready = lane.ready
            whose |= {"model": ready.model, "sha256": ready.sha256, "delegate": ready.delegate}
            if ready.bundle:
                whose["bundle"] = ready.bundle
        alerts, others = self._parted(lane, records)
        if alerts:
            self._store.put([{**whose, **one.as_json()} for one in alerts], self._ledgers("alert"), "alert")
        if others:
            self._put(lane, [{**whose, **one.as_json()} for one in others])

    def note(self, lane: Lane) -> None:
        """Store a ledger that changed without a result: what a crash took, what was left at the end."""
        counts = lane.ledger.to_json()
        if counts["captured"] and counts != self._known.get(lane.name):
            now_ns = int(self._clock.monotonic() * 1e9)
            note = {"pipeline": lane.name, "kind": "ledger", "captured_ns": now_ns, "items": [counts]}
            self._put(lane, [note])

    def tick(self, now: float) -> None:
        """From time to time note the ledgers that move without results: a camera whose frames all fail."""
        if now >= self._next_look:
            self._next_look = now + _NOTE_S
            for lane in self._lanes:
                self.note(lane)

    def _put(self, lane: Lane, records: list[dict[str, Any]]) -> None:
        stream = self._stream(lane)
        self._store.put(records, self._ledgers(stream), stream)
        self._known[lane.name] = lane.ledger.to_json()

    def _parted(self, lane: Lane, records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
        """Give the records that are alerts in a stream of results, and the others."""
        names = self._alerting.get(lane.name, ()) if self._stream(lane) == "result" else ()
        alerts: list[Record] = []
        others: list[Record] = []
        for one in records:
            (alerts if _has_one_of(names, one) else others).append(one)
        return alerts, others

    def _ledgers(self, stream: Stream) -> dict[str, dict[str, Any]]:
        """Give the ledgers that ride in a stream: each in one stream only, whatever else its lane gives."""
        return {one.name: one.ledger.to_json() for one in self._lanes if self._stream(one) == stream}

    def _stream(self, lane: Lane) -> Stream:
        return "alert" if lane.name in self._urgent else "result"


def _has_one_of(names: Collection[str], record: Record) -> bool:
    return bool(names) and any("*" in names or one.get("event") in names for one in record.events)
