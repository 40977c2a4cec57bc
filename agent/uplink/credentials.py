"""What this device shows to the broker: a certificate with its key, and how it goes over to a new pair.

DATA/credentials/pending.key     a key that was made here and has no certificate yet
DATA/credentials/candidate.pem   key and certificate that are being tried
DATA/credentials/current.pem     the newest that have worked
DATA/credentials/previous.pem    those before them
DATA/credentials/refused.pem     those that the broker did not take, to look at

A pair is one file, so that no kill parts it, and goes from name to name by renaming. The pair of the
enrolment stays where the configuration or a credential has it, and is the last resort. The newest is shown
first, after each start; when the broker was reached and has not let us in three times, the next older one is
tried.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agent.commands.seams import Answer
from agent.errors import LinkLost, Rejected, StoreBusy
from agent.events import Event, emit
from agent.files import sync_folder, write_durably
from agent.link.settings import LinkDown, LinkUp
from agent.trust import certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.processes.watch import Watched
    from agent.trust.certificates import Facts

FOLDER = "credentials"
CANDIDATE, CURRENT, PREVIOUS, REFUSED, PENDING = (
    "candidate.pem",
    "current.pem",
    "previous.pem",
    "refused.pem",
    "pending.key",
)
TRIAL_S = 60.0
_ATTEMPTS = 3
_MOST_AUTHORITIES = 1 << 20
_OP = "change credentials"

Pair = tuple[str, str]
"""The files of certificate and key; "" for a key that stands in the same file."""


class Credentials:
    """The pairs of one device. All but ``pair`` is called in one thread.

    Args:
        data: the data folder.
        device: the name that certificates must have.
        enrolled: the pair that the device was enrolled with.
        ca_file: the authorities that a new certificate must come from; "" where the system's are used.

    Attributes:
        reconnect: drops the link, which then comes back with what ``pair`` gives; told why.
    """

    def __init__(self, data: Path, device: str, enrolled: Pair, ca_file: str) -> None:
        self._folder, self._device, self._enrolled, self._ca_file = data / FOLDER, device, enrolled, ca_file
        self._refusals = 0
        self._shown = ""
        self.reconnect: Callable[[str], None] = lambda _: None
        self._pairs = self._found()
        self._at = 0

    def pair(self) -> Pair:
        """Give the pair to show at the next attempt to connect. Any thread."""
        pairs, at = self._pairs, self._at
        return pairs[at % len(pairs)]

    def take(self, event: object) -> None:
        """Take in what becomes of the link; other events are ignored."""
        if isinstance(event, LinkUp):
            self._shown, self._refusals = event.cert_file, 0
            if event.cert_file == str(self._folder / CANDIDATE):
                self._promote()
        elif isinstance(event, LinkDown):
            self._shown = ""
            if event.met:
                self._refused()

    def request(self) -> str:
        """Make a key, or take the one that waits for its certificate; give the request, PEM.

        Raises:
            StoreBusy: the disk refuses.
        """
        key = self._read(PENDING)
        if key is not None:
            try:
                return certificates.request(key, self._device)
            except ValueError:  # a file that a disk has damaged: a new key is as good
                key = None
        key = certificates.new_key()
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._folder.parent)
            write_durably(self._folder / PENDING, key)
        except OSError as error:
            raise self._busy(error) from error
        return certificates.request(key, self._device)

    def install(self, certificate: str) -> Trial:
        """Go over to a new pair, if its certificate is sound; the same one again goes on where it stood.

        Raises:
            Rejected: it does not belong to the key that was made last, the broker cannot be shown it, or has
                not taken it before.
            StoreBusy: the disk refuses.
        """
        content = certificate.encode("ascii", "replace")
        facts = certificates.check(content, self._device, self._authorities(), time.time())
        pending = self._read(PENDING)
        try:
            mine = pending is not None and certificates.belongs(content, pending)
            if self._is(REFUSED, facts):
                raise self._turned_down(facts)
            known = self._is(CANDIDATE, facts) or self._is(CURRENT, facts)
            if not known and not mine:
                problem, hint = "it is not for the key that was made last", "Ask for a request again"
                raise Rejected(_OP, self._device, problem, hint)
            if not known:
                write_durably(self._folder / CANDIDATE, (pending or b"") + content)
                self._show("a new certificate is tried")
            if mine:
                (self._folder / PENDING).unlink()
        except OSError as error:
            raise self._busy(error) from error
        return Trial(self, facts)

    def stands(self, facts: Facts) -> bool | None:
        """Whether the link is up with this certificate; False: with an older one, since this was refused."""
        shown = Path(self._shown) if self._shown else None
        if shown and shown.parent == self._folder and self._is(shown.name, facts):
            return True
        return False if shown and self._at else None

    def give_up(self, facts: Facts) -> Rejected | LinkLost:
        """End a trial without success; the pair before is shown again. Give what to say of it.

        Raises:
            StoreBusy: the disk refuses.
        """
        if not self._is(CANDIDATE, facts):
            hint = "Look at the link: edge-agent status"
            return LinkLost(_OP, self._device, f"no link within {TRIAL_S:.0f} s", hint)
        try:
            self._move(CANDIDATE, REFUSED)
        except OSError as error:
            raise self._busy(error) from error
        emit(Event.CREDENTIALS_REFUSED, self._device, serial=facts.serial)
        self._show("back to the certificate before")
        return self._turned_down(facts)

    def _promote(self) -> None:
        """The candidate has worked: it is the current one from here on."""
        current = self._folder / CURRENT
        try:
            if current.exists():
                self._move(CURRENT, PREVIOUS)
            self._move(CANDIDATE, CURRENT)
            serial = certificates.facts(current.read_bytes()).serial
        except (OSError, ValueError) as error:  # it is shown all the same, and looked for at the next start
            emit(Event.CREDENTIALS_UNSAVED, self._device, problem=error)
            return
        self._shown = str(current)
        self._pairs, self._at = self._found(), 0
        emit(Event.CREDENTIALS_CHANGED, self._device, serial=serial)

    def _refused(self) -> None:
        self._refusals += 1
        if self._refusals >= _ATTEMPTS and len(self._pairs) > 1:
            self._refusals = 0
            self._at = (self._at + 1) % len(self._pairs)
            emit(Event.CREDENTIALS_TRIED, self._device, file=self.pair()[0])

    def _show(self, why: str) -> None:
        self._pairs, self._at, self._refusals = self._found(), 0, 0
        if self._shown != self.pair()[0]:
            self._shown = ""
            self.reconnect(why)

    def _found(self) -> list[Pair]:
        own = [self._folder / name for name in (CANDIDATE, CURRENT, PREVIOUS)]
        return [*((str(path), "") for path in own if path.exists()), self._enrolled]

    def _is(self, name: str, facts: Facts) -> bool:
        content = self._read(name)
        try:
            return content is not None and certificates.facts(content) == facts
        except ValueError:
            return False

    def _read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._busy(error) from error

    def _move(self, old: str, new: str) -> None:
        (self._folder / old).rename(self._folder / new)
        sync_folder(self._folder)

    def _authorities(self) -> bytes:
        if not self._ca_file:
            hint = "Set mqtt.ca_file to the authority that signs the fleet's devices"
            raise Rejected(_OP, self._device, "nobody is known who may sign a certificate", hint)
        try:
            with Path(self._ca_file).open("rb") as file:
                return file.read(_MOST_AUTHORITIES)
        except OSError as error:
            raise self._busy(error) from error

    def _turned_down(self, facts: Facts) -> Rejected:
        problem = f"the broker has not taken the certificate {facts.serial} within {TRIAL_S:.0f} s"
        return Rejected(_OP, self._device, problem, "The one before serves; look at the broker's log")

    def _busy(self, error: OSError) -> StoreBusy:
        problem = (error.strerror or str(error)).lower()
        return StoreBusy(_OP, str(self._folder), problem, "Look at the data folder's disk")


@dataclass(slots=True)
class Trial:
    """A new certificate is shown to the broker; see ``agent.commands.seams.Work``."""

    credentials: Credentials
    facts: Facts
    _until: float = field(default=0.0, init=False)

    def tick(self, now: float) -> Answer | None:
        """Give the answer once the link is up with it.

        Raises:
            Rejected: the broker does not take it.
            LinkLost: there is no link.
            StoreBusy: the disk refuses.
        """
        self._until = self._until or now + TRIAL_S
        stands = self.credentials.stands(self.facts)
        if stands:
            return Answer({"serial": self.facts.serial, "until": int(self.facts.until_s)})
        if stands is False or now >= self._until:
            raise self.credentials.give_up(self.facts)
        return None

    def watched(self) -> Iterable[Watched]:
        """Give no processes."""
        return ()

    def stop(self) -> None:
        """The agent ends: what was written goes on at the next start."""
