"""The rules for commands as of now: the configuration's, the keys in force, and the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.dispatch.admission import Terms
from agent.documents.keys import TARGET
from agent.errors import MessageInvalid
from agent.events import Event, emit
from agent.trust.signing import Verifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.clock import Clock
    from agent.config.tables import Commands
    from agent.dispatch.seams import Authority
    from agent.documents.keys import ControlKeys

_NO_ROOT = "this agent takes no operator's word. Set models.root to the fleet's root metadata"
_UNKNOWN = "no control key is known yet. Publish keys with: edgectl publish"


class Rules:
    """Makes the terms of each moment.

    Args:
        fleet: ours.
        device: ours.
        groups: those that we belong to.
        table: the configuration's ``[commands]``.
        authority: who may command; None where no operator's word is taken.
        clock: where time comes from.
    """

    def __init__(
        self,
        fleet: str,
        device: str,
        *,
        groups: Sequence[str],
        table: Commands,
        authority: Authority | None,
        clock: Clock,
    ) -> None:
        self.fleet, self.device = fleet, device
        self._audiences = frozenset({f"d/{device}", "all", *(f"g/{group}" for group in groups)})
        self._table, self._authority, self._clock = table, authority, clock
        self._keys: ControlKeys | None = None
        self._verifiers: list[Verifier] = []

    def terms(self, floors: Mapping[str, int]) -> Terms:
        """Say what holds now; ``floors`` are the counters' so far."""
        wall_s = max(0, self._clock.wall_ns() // 10**9)
        if self._authority is None:
            return Terms(fleet=self.fleet, audiences=self._audiences, no_keys=_NO_ROOT, wall_s=wall_s)
        self._look_at(self._authority.keys)
        times = self._authority.freshness
        return Terms(
            fleet=self.fleet,
            audiences=self._audiences,
            verifiers=self._verifiers,
            may=self._may,
            no_keys=_UNKNOWN,
            wall_s=wall_s,
            floor_s=times.floor_s,
            fresh=not times.expired(wall_s),
            floors=floors,
            allow=self._table.allow,
            deny=self._table.deny,
            expire_s=self._table.expire_s,
        )

    def revoked(self, key: str, op: str) -> bool:
        """Whether the keys in force do not let this one sign a command; False while none are known."""
        if self._authority is not None:
            self._look_at(self._authority.keys)
        return self._keys is not None and not self._keys.may(key, op)

    def _may(self, key: str, op: str) -> bool:
        return self._keys is not None and self._keys.may(key, op)

    def _look_at(self, keys: ControlKeys | None) -> None:
        if keys is self._keys:
            return
        self._keys, self._verifiers = keys, []
        try:
            self._verifiers = [Verifier.from_pem(one.pem.encode()) for one in keys.keys] if keys else []
        except ValueError as error:
            self._keys = None
            emit(Event.MESSAGE_REFUSED, TARGET, problem=MessageInvalid("read", "control keys", str(error)))
