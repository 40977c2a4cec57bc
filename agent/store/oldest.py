"""How old the oldest record is that the collector has not got: looked up now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Collection

    from agent.store.queue import StreamQueue


class Oldest:
    """Remembers it.

    Attributes:
        ns: its wall time, ns since 1970, as the clock was then; 0 when nothing waits, or nobody can tell.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int], int] = {}
        self.ns = 0

    def look(self, queues: Collection[StreamQueue]) -> None:
        """Look it up; a file that cannot be read now is passed over: who sends it tells of that."""
        found: dict[tuple[str, str, int], int] = {}
        for queue in queues:
            for name, epoch in queue.epochs.items():
                seq = epoch.chain.held_from(epoch.acked + 1)
                if seq > epoch.chain.last:
                    continue
                place = (queue.stream, name, seq)
                found[place] = self._known.get(place) or _made(queue, name, seq)
                break
        self._known = found
        self.ns = min((ns for ns in found.values() if ns), default=0)


def _made(queue: StreamQueue, name: str, seq: int) -> int:
    try:
        blocks = queue.epochs[name].chain.read(seq, 1)
    except AgentError:
        return 0
    return blocks[0].times.from_ns if blocks and blocks[0].times else 0
