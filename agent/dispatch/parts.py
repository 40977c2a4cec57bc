"""Files that come beside outcomes leave in signed parts, after what is more urgent.

One part is on its way at a time, and after each the link is left alone for as long as that part took: results
have at least half of it.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.dispatch.spool import MOST_FILES, Spool
from agent.documents import part
from agent.documents.outcome import Attached
from agent.events import Event, emit
from agent.link import topics
from agent.link.settings import LinkDown, LinkPublished
from agent.supervision.partners import QuietPartner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from agent.dispatch.spool import Spooled
    from agent.trust.signing import Signer

_PAUSE_S = 0.25
"""Between two parts at least: about 400 KB a second at the most."""
_RETRY_S = 15.0
_REFUSALS = 8
"""So often is a part tried again that the broker does not take."""
_MOST_AGAIN = 8
"""So often is a file sent once more: a broker that plays its command back should not have a device pay."""
_UNANSWERED_S = 120.0
_LOOK_S = 60.0
_IDLE_S = 1.0


@dataclass(frozen=True, slots=True)
class _Flight:
    token: int
    file: Spooled
    since: float


class Shipping(QuietPartner):
    """Keeps files for the operator and sends them; a partner of the supervisor.

    Args:
        folder: the data folder.
        fleet: the fleet's name.
        device: this device's id.
        signer: signs the parts; None where nothing is signed.
        publish: as of ``partners.Offer``.
        online: whether the link is up.
        bytes_per_s: the most bytes a second that the device may send, 0 for any: parts take a quarter of it.
        now: the monotonic time.
        wall: the wall clock, seconds since 1970; None: the machine's.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fleet: str,
        device: str,
        signer: Signer | None,
        publish: Callable[[str, bytes, bool], int | None],
        online: Callable[[], bool],
        bytes_per_s: float = 0,
        now: float = 0.0,
        wall: float | None = None,
    ) -> None:
        self._spool = Spool(folder, now=now, wall=time.time() if wall is None else wall)
        self._fleet, self._device, self._signer = fleet, device, signer
        self._topic = topics.up_diag(fleet, device)
        self._publish, self._online = publish, online
        self._bytes_per_s = bytes_per_s
        self._now = now
        self._gone: deque[part.Header] = deque(maxlen=MOST_FILES)
        self._flight: _Flight | None = None
        self._due, self._look_at = now, now
        self._refusals = 0

    @property
    def folder(self) -> Path:
        """Where files lie that ``take_in`` takes; whoever writes there makes it."""
        return self._spool.folder

    @property
    def waiting(self) -> int:
        """Files that are not wholly sent."""
        return sum(file.due for file in self._spool.files)

    def take_in(self, command: str, files: Iterable[Path]) -> tuple[Attached, ...]:
        """Take files over that lie in the spool, under the names behind their last "--", and send them.

        Nothing is copied; each is read once for its hash.

        Raises:
            StoreBusy: the disk refuses; what was taken stays.
            MessageInvalid: a file is too large, or its name is none.
        """
        taken = []
        for path in files:
            file = self._spool.add(command, path, self._now)
            taken.append(Attached(name=file.name, bytes=file.size, sha256=file.sha256, parts=file.of))
        self._keep_bounds()
        return tuple(taken)

    def again(self, command: str, files: Iterable[Attached] = ()) -> None:
        """Send all parts of a command's files again; of each of ``files`` that is gone, that it is."""
        ours = {file.name: file for file in self._spool.files if file.command == command}
        for file in ours.values():
            if file.due:  # it is on its way: who asks often would have it begin for ever
                continue
            if file.again >= _MOST_AGAIN:
                emit(Event.COMMAND_REFUSED, file.name, refusal="flood", problem="it was sent so often")
                continue
            file.due, file.next, file.again = True, 0, file.again + 1
        for told in files:
            if told.name not in ours:
                self._tell_gone(command, told.name, told.parts, told.sha256)

    def take(self, event: object, now: float) -> None:
        """Take in what the link says of parts; other events are ignored."""
        self._now = now
        flight = self._flight
        if flight is None:
            return
        if isinstance(event, LinkDown):
            self._flight = None
        elif isinstance(event, LinkPublished) and event.token == flight.token:
            self._flight = None
            if event.refused:
                self._refused(flight.file, event.refused, now)
            else:
                self._confirmed(flight, now)

    def tick(self, now: float) -> None:
        """Send the next part when it is its turn; let go of what is too old."""
        self._now = now
        if now >= self._look_at:
            self._keep_bounds()
        if self._flight is not None and now >= self._flight.since + _UNANSWERED_S:
            self._flight = None
        if self._flight is not None or now < self._due or not self._online():
            return
        if self._gone:
            self._due = now + _PAUSE_S
            if self._publish(self._topic, part.encode(self._gone[0], b"", self._signer), False) is not None:  # noqa: FBT003
                self._gone.popleft()
        elif (file := next((one for one in self._spool.files if one.due), None)) is not None:
            self._send(file, now)

    def next_tick(self, now: float) -> float:
        """Seconds until ``tick`` wants to be called."""
        if not (self._gone or self.waiting):
            return max(0.0, self._look_at - now)
        return max(0.0, self._due - now) if self._flight is None and self._online() else _IDLE_S

    def stop(self) -> None:
        """What is not sent goes at the next start."""

    def _send(self, file: Spooled, now: float) -> None:
        try:
            body = file.read()
        except OSError as error:
            self._drop(file, f"it cannot be read: {error.strerror or error}")
            return
        message = part.encode(
            self._header(file.command, file.name, file.of, file.sha256, file.next), body, self._signer
        )
        token = self._publish(self._topic, message, False)  # noqa: FBT003 - Offer says so
        if token is None:
            self._refused(file, "the link does not take them", now)
        else:
            self._flight = _Flight(token, file, now)

    def _confirmed(self, flight: _Flight, now: float) -> None:
        """Go on to the next part, when the link has been left to others for a while."""
        file, self._refusals = flight.file, 0
        pause = max(_PAUSE_S, now - flight.since)
        if self._bytes_per_s:
            pause = max(pause, 4 * part.PART_BYTES / self._bytes_per_s)
        self._due = now + pause
        file.next += 1
        if file.next < file.of or file not in self._spool.files:
            return
        try:
            self._spool.mark_sent(file, now)
        except OSError as error:
            self._spool.remove(file)
            emit(Event.FILE_DROPPED, file.command, file=file.name, why=error.strerror)
        emit(Event.FILE_SENT, file.command, file=file.name, bytes=file.size, parts=file.of)

    def _refused(self, file: Spooled, why: str, now: float) -> None:
        self._due = now + _RETRY_S
        self._refusals += 1
        if self._refusals >= _REFUSALS:
            self._refusals = 0
            self._drop(file, f"the broker does not take its parts: {why}")

    def _drop(self, file: Spooled, why: str) -> None:
        """Let a file go; of one that was not sent that is said, here and to the operator."""
        if file.due:
            if file.sha256:
                self._tell_gone(file.command, file.name, file.of, file.sha256)
            emit(Event.FILE_DROPPED, file.command, file=file.name, bytes=file.size, why=why)
        self._spool.remove(file)

    def _tell_gone(self, command: str, name: str, of: int, sha256: str) -> None:
        self._gone.append(self._header(command, name, of, sha256, 0).model_copy(update={"gone": True}))

    def _header(self, command: str, name: str, of: int, sha256: str, n: int) -> part.Header:
        return part.Header(
            fleet=self._fleet, device=self._device, command=command, file=name, n=n, of=of, sha256=sha256
        )

    def _keep_bounds(self) -> None:
        self._look_at = self._now + _LOOK_S
        self._spool.sweep(time.time())
        for file, why in self._spool.surplus(self._now):
            self._drop(file, why)
