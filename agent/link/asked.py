"""Which retained messages are asked for, and what is known of those that do not come.

A broker does not say that it has no retained message. So when one does not come we publish to ourselves, on a
topic that we are subscribed to: a broker that handles the packets of one client in their order has sent what
it has before that echo. Some brokers look retained messages up in a pool, and the echo may overtake them:
what an echo has left behind is waited for a while, then one more echo must come back.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

GRACE_S = 0.25
"""How long what an echo has overtaken may take until we ask for the second one."""
MOST_FILTERS = 8
"""Topics in one SUBSCRIBE: AWS IoT takes no more."""


class Asked:
    """Topics that are to be fetched, a few of them at a time. Pure: the caller has the clock and the link.

    Args:
        topics: in this order.
        window: how many may be asked for at once.

    Attributes:
        missing: topics that the broker does not have.
        waiting: topics that are asked for, and neither there nor missing yet.
    """

    def __init__(self, topics: Iterable[str], window: int) -> None:
        self._todo = deque(topics)
        self._window = window
        self._echoes: dict[int, tuple[int, frozenset[str]]] = {}
        self._late: deque[tuple[float, frozenset[str]]] = deque()
        self.missing: list[str] = []
        self.waiting: set[str] = set()

    def __bool__(self) -> bool:
        """Whether anything is still to come."""
        return bool(self._todo or self.waiting)

    def next(self) -> list[str]:
        """Take what is to be asked for now; nothing while half of the window is still to come."""
        if len(self.waiting) > self._window // 2:
            return []
        count = min(self._window - len(self.waiting), MOST_FILTERS, len(self._todo))
        topics = [self._todo.popleft() for _ in range(count)]
        self.waiting.update(topics)
        return topics

    def came(self, topic: str) -> bool:
        """Note a message; say whether it was waited for."""
        if topic not in self.waiting:
            return False
        self.waiting.remove(topic)
        return True

    @property
    def awaits_echo(self) -> bool:
        """Whether an echo is on its way, or the second one is due."""
        return bool(self._echoes or self._late)

    def expect(self, number: int, topics: Iterable[str], *, again: bool = False) -> None:
        """Note that echo ``number`` was sent, since ``topics`` do not come; ``again``: the second one."""
        self._echoes[number] = (2 if again else 1, frozenset(topics))

    def echoed(self, number: int, now: float) -> None:
        """Note that an echo is back."""
        attempt, topics = self._echoes.pop(number, (0, frozenset()))
        left = topics & self.waiting
        if left and attempt == 1:
            self._late.append((now + GRACE_S, left))
        elif left:
            self._give_up(left)

    def late(self, now: float) -> frozenset[str]:
        """Take topics whose grace is over, for the second echo."""
        if not self._late or self._late[0][0] > now:
            return frozenset()
        return self._late.popleft()[1] & self.waiting

    def due(self) -> float | None:
        """Give the time when ``late`` has something; None while no echo has overtaken anything."""
        return self._late[0][0] if self._late else None

    def give_up(self) -> None:
        """Take all that is waited for as missing: no echo comes back, and it has had its time."""
        self._give_up(frozenset(self.waiting))

    def _give_up(self, topics: frozenset[str]) -> None:
        self.waiting -= topics
        self.missing += sorted(topics)
