"""The supervisor's partners: each decides about one matter, and all are looked after in the same way."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.activation.manager import Activation
    from agent.link.settings import LinkMessage
    from agent.processes.watch import Watched
    from agent.uplink.credentials import Credentials
    from agent.uplink.uplink import Uplink
    from agent.workers.lane import Lane


class Partner(Protocol):
    """Who decides about one matter. All methods are called in the supervisor's thread, and return at once."""

    def take(self, event: object, now: float) -> None:
        """Take in an event of the store, the link or another thread; others are ignored."""

    def tick(self, now: float) -> None:
        """Do what time calls for, and what has become possible."""

    def next_tick(self, now: float) -> float:
        """Seconds until ``tick`` wants to be called."""

    def watched(self) -> Iterator[Watched]:
        """Give its processes, and who hears of them."""

    def pids(self) -> set[int]:
        """The ids of those."""

    def stop(self) -> None:
        """The agent ends in good order."""

    @property
    def idle(self) -> bool:
        """Whether the agent may end, as far as this partner is concerned."""

    def close(self) -> None:
        """The agent ends now."""


class QuietPartner:
    """The base of partners that have no processes, and hold up no end: what they do is theirs to add."""

    def take(self, event: object, now: float) -> None:
        """Nothing that happens elsewhere matters."""

    def watched(self) -> Iterator[Watched]:
        """There are no processes."""
        return iter(())

    def pids(self) -> set[int]:
        """Likewise."""
        return set()

    def stop(self) -> None:
        """There is nothing to end."""

    @property
    def idle(self) -> bool:
        """It never holds up an end."""
        return True

    def close(self) -> None:
        """There is nothing to free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the supervisor has for partners.

    Attributes:
        lanes: one a pipeline, in the configuration's order.
        publish: sends a message of QoS 1 by topic and payload, retained or not; gives the token that
            ``LinkPublished`` will carry, None while nobody listens.
        settle: confirms a message to the broker: what it asks for is durable, or refused.
        online: whether the link is up.
        status: gives what the local socket tells.
        end: has the agent end in good order, for this reason.
        credentials: what the broker is shown; None where that is no certificate.
        again: has it end likewise, to begin anew in the same process.
    """

    lanes: Sequence[Lane]
    publish: Callable[[str, bytes, bool], int | None]
    settle: Callable[[LinkMessage], None]
    online: Callable[[], bool]
    status: Callable[[], dict[str, Any]]
    end: Callable[[str], None]
    credentials: Credentials | None = None
    again: Callable[[str], None] = lambda _why: None


def offered(
    lanes: Sequence[Lane],
    uplink: Uplink | None,
    *,
    status: Callable[[], dict[str, Any]],
    end: Callable[[str], None],
    again: Callable[[str], None] = lambda _why: None,
) -> Offer:
    """Make the offer of an agent with this way up, or with none."""
    return Offer(
        lanes=lanes,
        publish=uplink.publish if uplink else lambda _topic, _payload, _retain: None,
        settle=uplink.settle if uplink else lambda _message: None,
        online=lambda: uplink is not None and uplink.online,
        status=status,
        end=end,
        credentials=uplink.credentials if uplink else None,
        again=again,
    )


class Partners:
    """All of them, as one.

    Args:
        models: who decides about models, if anybody does.
        others: the rest, in the order in which they are told.
        answers: who answers which requests on the local socket, by the request's ``op``.
        status: gives what they add to what the local socket tells of the agent.
    """

    def __init__(
        self,
        models: Activation | None = None,
        others: Sequence[Partner] = (),
        answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] | None = None,
        status: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self.models = models
        self.status = status
        self.answers = answers or {}
        self._all: tuple[Partner, ...] = (*((models,) if models else ()), *others)

    def take(self, event: object, now: float) -> None:
        """Tell each of an event."""
        for one in self._all:
            one.take(event, now)

    def tick(self, now: float) -> None:
        """Have each do what is due."""
        for one in self._all:
            one.tick(now)

    def waits(self, now: float) -> list[float]:
        """Seconds until each wants to be called."""
        return [one.next_tick(now) for one in self._all]

    def watched(self) -> Iterator[Watched]:
        """Give all processes."""
        return chain.from_iterable(one.watched() for one in self._all)

    def pids(self) -> set[int]:
        """The ids of all processes."""
        return set().union(*(one.pids() for one in self._all))

    def stop(self) -> None:
        """Tell each that the agent ends in good order."""
        for one in self._all:
            one.stop()

    @property
    def idle(self) -> bool:
        """Whether the agent may end."""
        return all(one.idle for one in self._all)

    def close(self) -> None:
        """Tell each that the agent ends now."""
        for one in self._all:
            one.close()


def alone(offer: Offer) -> Partners:
    """Give no partners at all."""
    del offer
    return Partners()
