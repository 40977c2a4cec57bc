"""The states of the link to a broker, as a table; and how long to wait before the next attempt.

OFFLINE > CONNECTING > SUBSCRIBING > ONLINE; online after SUBACK only. In BACKOFF the broker was away or
went away: soon again, with full jitter. In REFUSED the broker or our own settings said no: seldom again,
somebody has to act.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random


class LinkState(Enum):
    """Where the link stands."""

    OFFLINE = "offline"
    CONNECTING = "connecting"
    SUBSCRIBING = "subscribing"
    ONLINE = "online"
    BACKOFF = "backoff"
    REFUSED = "refused"


class LinkStep(Enum):
    """What can happen to the link."""

    CONNECT = "connect"
    CONNACK = "connack"
    SUBACK = "suback"
    LOST = "lost"
    REFUSE = "refuse"
    CLOSE = "close"


_S, _E = LinkState, LinkStep
_CONNECTED = (_S.CONNECTING, _S.SUBSCRIBING, _S.ONLINE)

LINK_TABLE: Mapping[tuple[LinkState, LinkStep], LinkState] = {
    **{(state, _E.CONNECT): _S.CONNECTING for state in (_S.OFFLINE, _S.BACKOFF, _S.REFUSED)},
    (_S.CONNECTING, _E.CONNACK): _S.SUBSCRIBING,
    (_S.SUBSCRIBING, _E.SUBACK): _S.ONLINE,
    **{(state, _E.LOST): _S.BACKOFF for state in _CONNECTED},
    **{(state, _E.REFUSE): _S.REFUSED for state in _CONNECTED},
    **{(state, _E.CLOSE): _S.OFFLINE for state in LinkState},
}


class Backoff:
    """Full jitter: a random wait between nothing and a bound that doubles.

    A fleet that lost its broker at the same moment must not come back at the same moment.

    Args:
        base: the first bound, seconds.
        cap: the last bound, seconds.
        rng: where the jitter comes from.
    """

    def __init__(self, base: float, cap: float, rng: Random) -> None:
        self._base = base
        self._cap = cap
        self._rng = rng
        self._attempts = 0

    def next(self) -> float:
        """Give the seconds to wait before the next attempt."""
        bound = min(self._cap, self._base * 2.0 ** min(self._attempts, 64))
        self._attempts += 1
        return self._rng.uniform(0.0, bound)

    def reset(self) -> None:
        """Begin again from ``base``: the link has proved good."""
        self._attempts = 0
