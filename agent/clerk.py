"""Has changes written by the store, in order, and says what follows when one is durable."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Protocol

from agent.errors import StoreBusy

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.slots import Change

_RETRY_S = 1.0
_MANY = 64
_tokens = count(1)
"""Of all clerks in this process: the store's answers reach each of them."""


class Store(Protocol):
    """What is asked of the store."""

    def change(self, change: Change, token: int) -> None:
        """Write a change; ``Changed`` follows.

        Raises:
            StoreBusy: too many wait already.
        """


class Clerk:
    """Numbers changes, and keeps those that the store has no room for while the disk refuses.

    Nothing that comes from outside may add to them while it is ``busy``, so they are bounded.

    Args:
        store: writes them.
        audit: number and hash of the audit log's last entry.

    Attributes:
        along: documents to write with the next change, in its transaction.
    """

    def __init__(self, store: Store, audit: tuple[int, str]) -> None:
        self._store = store
        self._waiting: deque[tuple[int, Change]] = deque()
        self._then: dict[int, Callable[[], None]] = {}
        self._retry_at = 0.0
        self.audit = audit
        self.along: dict[str, bytes] = {}

    def keep(self, change: Change, then: Callable[[], None] | None = None) -> int:
        """Have a change written; give its token. ``then`` is called once it is durable."""
        token = next(_tokens)
        if then is not None:
            self._then[token] = then
        if self.along:
            change = replace(change, documents={**change.documents, **self.along})
            self.along = {}
        self._waiting.append((token, change))
        self._pass_on()
        return token

    def durable(self, token: int, audit: tuple[int, str]) -> None:
        """The change with this token is durable."""
        self.audit = audit
        if (then := self._then.pop(token, None)) is not None:
            then()

    def tick(self, now: float) -> None:
        """Offer again what the store had no room for."""
        if self._waiting and now >= self._retry_at:
            self._retry_at = now + _RETRY_S
            self._pass_on()

    @property
    def busy(self) -> bool:
        """Whether so much waits that nothing new should be taken on."""
        return len(self._waiting) + len(self._then) > _MANY

    def _pass_on(self) -> None:
        while self._waiting:
            token, change = self._waiting[0]
            try:
                self._store.change(change, token)
            except StoreBusy:
                return  # the store tells of its disk by itself
            self._waiting.popleft()
