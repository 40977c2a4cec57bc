"""What comes from the operator: looked at, written down, and then in force; so much at a time and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.activation.desk import Desk
from agent.allowance import Allowance
from agent.events import Event, emit
from agent.refusals import Refusals
from agent.slots import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.clerk import Clerk
    from agent.clock import Clock
    from agent.errors import AgentError
    from agent.slots import Kept

_OFFERS, _OFFER_S, _TAKEN = 240, 1.0, 30
"""Desired states: so many at once, then one in so many seconds. One that is taken counts for 30, since it is
written down: whoever has stolen a key could flush the audit log, and wear the disk."""


class Mail:
    """Passes what comes to the desk, and what the desk makes of it to the store.

    Args:
        fleet: ours.
        device: ours.
        kept: what the store holds.
        clerk: has changes written.
        clock: where time comes from.
        news: called when something else is in force.
        lacks: called when a desired state waits for newer keys.
    """

    def __init__(
        self,
        fleet: str,
        device: str,
        kept: Kept,
        clerk: Clerk,
        clock: Clock,
        *,
        news: Callable[[], None],
        lacks: Callable[[], None],
    ) -> None:
        self._device, self._clerk, self._clock = device, clerk, clock
        self._news, self._lacks = news, lacks
        self._refusals = Refusals()
        self._allowance, self._waiting = Allowance(_OFFERS, _OFFER_S), b""
        self.desk = Desk(fleet, device, kept, lambda error: self.refused("desired.refused", device, error))

    def offer(self, payload: bytes) -> None:
        """Look at a desired state; when too many come, at the newest one later."""
        if self._waiting not in {b"", payload}:
            emit(Event.MESSAGE_REFUSED, "desired state", refusal="flood", problem="a newer one came")
        self._waiting = payload
        self.tick()

    def tick(self) -> None:
        """Look at what waits, if it is time for that, and the disk takes what follows."""
        if not self._waiting or not self._allowance.open(self._clock.monotonic()) or self._clerk.busy:
            return
        payload, self._waiting = self._waiting, b""
        self._allowance.spend()
        if (offered := self.desk.offer(payload)) is not None:
            desired, change = offered
            self._allowance.spend(_TAKEN - 1)

            def take() -> None:
                self.desk.take(desired)
                self._news()

            self._clerk.keep(change, take)
        if self.desk.waits:
            self._lacks()

    def brought(self, name: str, body: str) -> None:
        """Look at a document that the updater has proved."""
        if self._clerk.busy or (change := self.desk.brought(name, body)) is None:
            return  # the next updater brings it again

        def put_in_force() -> None:
            last = self.desk.put_in_force(name, body)
            self._news()
            if last is not None:
                self.offer(last)

        self._clerk.keep(change, put_in_force)

    def refused(self, kind: str, subject: str, error: AgentError) -> None:
        """Have a refusal written into the audit log, unless it is one of too many; events count them all."""
        if self._clerk.busy:
            return
        if (note := self._refusals.note(kind, subject, str(error), self._clock.monotonic())) is not None:
            self._clerk.keep(Change(notes=(note,)))
