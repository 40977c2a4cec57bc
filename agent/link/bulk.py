"""Published files out of a broker's retained messages, over a connection of their own.

The caller drives it, there is no thread: nothing is read from the socket but while somebody waits for a file.
Only what was asked for is kept, and only until the caller has it. The connection does not come back by
itself; whoever needs another one makes another ``Bulk``.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.errors import Absent, FetchFailed
from agent.link import topics
from agent.link.asked import MOST_FILTERS, Asked
from agent.link.dial import dial, lost
from agent.link.pace import Pace
from agent.link.reasons import Reason
from agent.link.session import Ended, Received
from agent.link.settings import Message
from agent.link.turns import turn, wait
from agent.published import BLOB, MOST_PACKET

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.errors import LinkLost
    from agent.link.session import Session
    from agent.link.settings import LinkSettings

_QOS = 0
"""What gets lost is missed and asked for again; confirmations would only wait in one more queue."""
_KEEPALIVE_S = 180
"""Nobody answers the broker while the caller writes to a slow disk; a silent link is noticed sooner."""
_TURN_S = 1.0
_QUIET_S = 0.05
"""When nothing has come for so long, an echo asks whether it is there at all."""
_SLOWEST = 2 << 10
"""Bytes/s of the slowest link that is waited for."""


class Bulk:
    """A shelf (``agent.updater.seams.Shelf``) on one MQTT connection, made at first use. One call at a time.

    Args:
        settings: the broker, and how to log in; id, session and limits are our own.
        fleet: whose files.
        device: who asks; it must be granted ``topics.echo``, or each file that is not there costs
            ``answer_timeout_s``.
        window: how many chunks are asked for at once.
        top: what the files' topics begin with, if they are not where the fleet's lie.
    """

    def __init__(
        self, settings: LinkSettings, fleet: str, device: str, window: int = 4, *, top: str = ""
    ) -> None:
        self._settings = replace(
            settings,
            client_id=f"{fleet}-{device}-bulk",
            keepalive_s=max(settings.keepalive_s, _KEEPALIVE_S),
            session_expiry_s=0,
            max_packet_in=MOST_PACKET,
            manual_ack=False,
        )
        self._top = top or topics.tuf(fleet)
        self._blob = f"{self._top}{BLOB}"
        self._echo = f"{topics.echo(fleet, device)}/{secrets.randbits(32)}"
        self._window = window
        self._session: Session | None = None
        self._pace: Pace | None = None
        self._number = 0
        self._echoes = False
        self._heard = 0.0
        self._answered = False
        self._left: set[str] = set()
        self._lost: Reason | None = None

    def get(self, path: str, most: int) -> bytes:
        """Give a whole small file; see ``Shelf``."""
        if set("+#\0") & set(path):
            raise FetchFailed("fetch", path, "no file can have this name")
        [(_, data)] = self._fetch([self._top + path], most)
        return data

    def chunks(self, sha256: str, numbers: Sequence[int], most: int) -> Iterator[tuple[int, bytes]]:
        """Give chunks of a file, in the order in which they come; see ``Shelf``."""
        names = {f"{self._blob}/{sha256}/{number}": number for number in numbers}
        for topic, data in self._fetch(list(names), most):
            yield names[topic], data

    def close(self) -> None:
        """Say goodbye. Idempotent."""
        if self._session is not None and self._lost is None:
            self._session.disconnect()
        self._drop(Reason("the connection is closed"))

    def _fetch(self, names: list[str], most: int) -> Iterator[tuple[str, bytes]]:
        """Give retained messages as they come.

        Raises:
            Absent: some are not there; the others have come.
            FetchFailed: one has more than ``most`` bytes.
            LinkLost: the connection is over, or nothing that we need comes.
        """
        session, asked = self._connected(), Asked(names, self._window)
        self._heard = moved = time.monotonic()
        try:
            while asked:
                self._ask(session, asked, moved)
                for topic, payload in self._listen(session, asked, moved):
                    if len(payload) > most:
                        raise FetchFailed("fetch", topic, f"{len(payload)} bytes, and {most} is the most")
                    self._left.add(topic)
                    yield topic, payload
                    self._heard = moved = time.monotonic()  # the caller's time is not the broker's
                self._judge(session, asked, moved + self._patience(len(asked.waiting), most))
        finally:
            self._left |= asked.waiting
        if asked.missing:
            some = f"{', '.join(asked.missing[:3])}{', ...' if len(asked.missing) > 3 else ''}"
            hint = "Publish it again: edgectl heal"
            raise Absent(
                "fetch", some, f"the broker does not have {len(asked.missing)} of {len(names)}", hint
            )

    def _patience(self, count: int, most: int) -> float:
        """Give the seconds in which one of ``count`` messages must come, even on the slowest link."""
        return self._settings.answer_timeout_s + count * most / _SLOWEST

    def _ask(self, session: Session, asked: Asked, moved: float) -> None:
        """Ask for what the window has room for, let go of what has come, and see to what does not come."""
        now = time.monotonic()
        if late := asked.late(now):
            asked.expect(self._send_echo(session), late, again=True)
        elif asked.waiting and now - moved >= _QUIET_S and not asked.awaits_echo:
            asked.expect(self._send_echo(session), asked.waiting)
        wanted = asked.next()
        if len(self._left) >= MOST_FILTERS or not self._left.isdisjoint(wanted):
            self._leave(session)
        if wanted:
            self._answered = False
            session.subscribe([(topic, _QOS) for topic in wanted])

    def _leave(self, session: Session) -> None:
        """Unsubscribe from what has come, or is not waited for any more."""
        topics = list(self._left)
        self._left.clear()
        for at in range(0, len(topics), MOST_FILTERS):
            session.unsubscribe(topics[at : at + MOST_FILTERS])

    def _send_echo(self, session: Session) -> int:
        self._number += 1
        session.send(Message(self._echo, b"%d" % self._number, qos=_QOS))
        return self._number

    def _listen(self, session: Session, asked: Asked, moved: float) -> Iterator[tuple[str, bytes]]:
        """Take one turn; give what was waited for, and drop everything else."""
        self._turn(session, asked.due() if asked.awaits_echo else moved + _QUIET_S)
        while session.notes:
            match session.notes.popleft():
                case Received(topic, payload) if topic == self._echo:
                    self._echoes = True
                    if payload.isdigit() and len(payload) < 16:
                        asked.echoed(int(payload), time.monotonic())
                # Without a payload it tells that the retained message is being deleted.
                case Received(topic, payload) if payload and asked.came(topic):
                    yield topic, payload
                case Ended(reason):
                    raise self._drop(self._ending(reason))

    def _turn(self, session: Session, due: float | None) -> None:
        """Wait for the broker until ``due``, for a second at most, and let the connection read and write."""
        now = time.monotonic()
        limit = min(_TURN_S, self._settings.answer_timeout_s)
        readable, writable = wait(session, limit if due is None else min(limit, due - now))
        if readable:
            self._answered, self._heard = True, time.monotonic()
        turn(session, self._settings.broker, readable=readable, writable=writable)
        if self._pace is not None:
            self._pace.look(now)

    def _judge(self, session: Session, asked: Asked, give_up: float) -> None:
        """See whether anything is still to be hoped for."""
        now = time.monotonic()
        silent = now - self._heard >= self._settings.answer_timeout_s
        if not asked.waiting or not (silent or now >= give_up):
            return
        if silent and self._answered and not self._echoes:
            asked.give_up()  # it has granted what we asked for, and our echo is not for us
            return
        reason = Reason("it has gone silent" if silent else "it sends what nobody has asked for")
        session.abandon(reason)
        raise self._drop(reason)

    def _connected(self) -> Session:
        """Give the connection; make it the first time.

        Raises:
            LinkLost: it cannot be made, or is over.
        """
        if self._lost is not None:
            raise lost(self._settings, self._lost)
        if self._session is None:
            self._session = dial(self._settings)
            self._pace = Pace(self._session.fileno(), time.monotonic())
            self._session.subscribe([(self._echo, _QOS)])
        return self._session

    def _ending(self, reason: Reason) -> Reason:
        """Add what helps where a broker hangs up on whoever publishes what he may not."""
        if reason.hint or self._echoes:
            return reason
        return replace(reason, hint=f"Let this device write and read {self._echo.rpartition('/')[0]}/+")

    def _drop(self, reason: Reason) -> LinkLost:
        """End the connection for good; give the error that says so."""
        if self._pace is not None:
            self._pace.close()
        if self._session is not None:
            self._session.abandon(reason)
        self._lost = self._lost or reason
        return lost(self._settings, reason)
