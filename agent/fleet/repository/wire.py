"""The broker, as a publisher sees it: retained messages, each confirmed, and a look at what is there."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from agent.errors import MessageInvalid
from agent.fleet.talk import Talk
from agent.link import topics
from agent.link.bulk import Bulk
from agent.link.outgoing import packet_size
from agent.link.settings import Message
from agent.published import BLOB, MOST_PACKET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from agent.fleet.repository.catalog import Piece
    from agent.link.settings import LinkSettings

_NAME = "edgectl"
"""What the echo of our reader goes round as, with a random end: two operators may work at once."""
_AWAY_S = 60.0
"""So long a broker may be away in the middle of a transfer."""
_CONFIRM_S = 120.0
"""A chunk of 1 MiB on a line of 10 KB/s takes about so long."""
_RECONNECT_S = 5.0
_READ_WINDOW = 16


class Wire:
    """A connection to a fleet's broker; to be entered.

    Args:
        settings: the broker.
        fleet: whose topics.

    Attributes:
        shelf: reads what is published, over a second connection; made at first use.
    """

    def __init__(self, settings: LinkSettings, fleet: str) -> None:
        own = replace(settings, confirm_timeout_s=_CONFIRM_S, backoff_cap_s=_RECONNECT_S)
        self._top = topics.tuf(fleet)
        self._talk = Talk(own, comfort="nothing is lost: edgectl heal sends the rest")
        self.shelf = Bulk(settings, fleet, f"{_NAME}-{secrets.token_hex(4)}", window=_READ_WINDOW)

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            LinkLost: the broker is away, or refuses us.
        """
        with ExitStack() as stack:
            stack.callback(self.__exit__)
            self._talk.__enter__()
            self._talk.connected()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Say goodbye."""
        self.shelf.close()
        self._talk.__exit__()

    def check(self, pieces: Iterable[Piece]) -> None:
        """Refuse what broker or devices would not take, before any of it is sent.

        Raises:
            MessageInvalid: a piece is too large.
        """
        broker = self._talk.up.max_packet if self._talk.up else MOST_PACKET
        for piece in pieces:
            size = packet_size(Message(self._top + piece.path, b"")) + piece.size
            if size > min(broker, MOST_PACKET):
                who = "the broker takes" if broker <= MOST_PACKET else "devices take"
                problem = f"it makes a packet of {size} bytes, and {who} {min(broker, MOST_PACKET)}"
                less = "Pack it with a smaller --chunk" if BLOB in piece.path else "Revoke what nobody runs"
                hint = f"{less}, or raise the broker's limit"
                raise MessageInvalid("publish", piece.path, problem, hint)

    def send(self, pieces: Sequence[Piece], step: Callable[[int], object] = int) -> None:
        """Have the broker retain pieces, in this order; all are confirmed when this returns.

        Args:
            pieces: what to publish.
            step: told of each confirmed piece's bytes.

        Raises:
            MessageInvalid: a piece is too large; nothing was sent.
            LinkLost: the broker is away for too long, or refuses a message.
            FetchFailed: a file cannot be read.
        """
        self.check(pieces)
        self._talk.send(((self._top + piece.path, piece.read) for piece in pieces), _AWAY_S, step)

    def clear(self, paths: Sequence[str], step: Callable[[int], object] = int) -> None:
        """Have the broker forget pieces.

        Raises:
            LinkLost: the broker is away for too long, or refuses a message.
        """
        self._talk.send(((self._top + path, bytes) for path in paths), _AWAY_S, step)

    def retain(self, topic: str, payload: bytes) -> None:
        """Have the broker retain a message that is no piece.

        Raises:
            LinkLost: the broker is away for too long, or refuses it.
        """
        self._talk.publish(topic, payload, _AWAY_S)
