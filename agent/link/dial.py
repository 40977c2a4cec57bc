"""Connects to a broker and waits for its answer, for who has no thread that does it in turns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent.errors import LinkLost
from agent.link.reasons import Reason
from agent.link.session import Accepted, Ended, Session
from agent.link.turns import turn, wait
from agent.link.versions import Versions

if TYPE_CHECKING:
    from agent.link.settings import LinkSettings

_UNPROVEN_S = 3.0
"""How long to wait for CONNACK while the broker's version is a guess: some old brokers just say nothing."""


def dial(settings: LinkSettings) -> Session:
    """Connect; where the version of MQTT is open, try 5 and then 3.1.1.

    Raises:
        LinkLost: the broker is away, does not answer or does not want us.
    """
    versions = Versions(settings.protocol)
    while True:
        session = Session(settings, versions.current, None)
        reason = _answer(session, settings)
        if reason is None:
            return session
        unanswered = session.unanswered or reason.version
        session.abandon(reason)
        if not (unanswered and versions.failed(certain=reason.version) and versions.current == "3.1.1"):
            raise lost(settings, reason)


def lost(settings: LinkSettings, reason: Reason) -> LinkLost:
    """Make an error of why a connection is not there."""
    return LinkLost("fetch from", settings.broker, reason.text, reason.hint)


def _answer(session: Session, settings: LinkSettings) -> Reason | None:
    """Open a connection; give why it is not there."""
    session.open()
    limit = settings.answer_timeout_s
    give_up = time.monotonic() + (min(limit, _UNPROVEN_S) if settings.protocol == "auto" else limit)
    while True:
        while session.notes:
            match session.notes.popleft():
                case Accepted():
                    return None
                case Ended(reason):
                    return reason
        left = give_up - time.monotonic()
        if left <= 0:
            return Reason("the broker does not answer")
        readable, writable = wait(session, left)
        turn(session, settings.broker, readable=readable, writable=writable)
