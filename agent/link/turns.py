"""A turn of the MQTT library, behind a boundary: whatever a peer sends costs the connection and no more."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

from agent.events import Event, emit
from agent.link.reasons import Reason

if TYPE_CHECKING:
    from agent.link.session import Session


def turn(session: Session, broker: str, *, readable: bool, writable: bool) -> None:
    """Let a connection read and write; one on which the library stumbles is given up.

    Args:
        session: the connection.
        broker: what events call the broker.
        readable: the socket, or TLS, has bytes.
        writable: the socket takes bytes.
    """
    try:
        session.turn(readable=readable, writable=writable)
    except Exception as error:  # noqa: BLE001 - named boundary: no peer's bytes may end this thread
        emit(Event.MESSAGE_REFUSED, broker, refusal="packet", error=repr(error))
        session.abandon(Reason(f"the broker sent what MQTT does not allow: {error!r}"))


def wait(session: Session, limit_s: float) -> tuple[bool, bool]:
    """Wait for a connection's socket, seconds at most; say whether it is readable and writable."""
    if (descriptor := session.fileno()) < 0:
        return False, False
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | (select.POLLOUT if session.wants_write else 0))
    ready = dict(poll.poll(0 if session.has_read or session.notes else max(0.0, limit_s) * 1000))
    events = ready.get(descriptor, 0)
    return session.has_read or bool(events & ~select.POLLOUT), bool(events & select.POLLOUT)
