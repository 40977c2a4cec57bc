"""Puts files together of the parts that a device sends beside an outcome; nothing that it says is believed.

What may come is bounded by the outcome, whose signature is proved: names, sizes, hashes. A file is written
beside its place, compared with its hash when all of it is there, and only then gets its name.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.documents import part
from agent.errors import AgentError, MessageInvalid
from agent.files import advice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.documents.outcome import Attached
    from agent.trust.signing import Verifier

MOST_BYTES = 128 << 20
"""Of all files beside one outcome."""
_EARLY = 16
"""Parts that are kept in memory because the outcome has not come yet."""
_NUMBERS = 1000


@dataclass(slots=True)
class _Coming:
    told: Attached
    temporary: Path
    got: set[int] = field(default_factory=set)
    gone: bool = False


class Assembly:
    """The files beside one command's outcome of one device.

    Args:
        folder: where they are to lie; it is made when the first one comes.
        fleet: the fleet's name.
        device: whose they are.
        command: the command's id.
        verifier: the device's key; None where nothing is signed.

    Attributes:
        done: the files that are whole, by name.
        refused: how many parts were of no use, by reason.
    """

    def __init__(
        self, folder: Path, *, fleet: str, device: str, command: str, verifier: Verifier | None
    ) -> None:
        self._folder = folder
        self._fleet, self._device, self._command = fleet, device, command
        self._verifier = verifier
        self._coming: dict[str, _Coming] = {}
        self._early: list[tuple[part.Header, bytes]] = []
        self._told = False
        self.done: dict[str, Path] = {}
        self.refused: Counter[str] = Counter()

    def expect(self, files: Sequence[Attached]) -> None:
        """Say which files there are, as the outcome tells; a second time nothing changes.

        Raises:
            MessageInvalid: they are too large, of one name, or not cut as parts are.
            AgentError: the folder cannot be written to.
        """
        if self._told:
            return
        names = {one.name for one in files}
        sound = all(one.bytes <= part.MAX_FILE and one.parts == part.parts_of(one.bytes) for one in files)
        if not sound or len(names) < len(files) or sum(one.bytes for one in files) > MOST_BYTES:
            problem = "it tells of files that are too large, doubled, or cut otherwise than files are"
            raise MessageInvalid("read", "outcome", problem)
        self._told = True
        for one in files:
            name = f".{self._device}-{self._command}-{one.name}.part"
            self._coming[one.name] = _Coming(one, self._folder / name)
        for header, body in self._early:
            self._put(header, body)
        self._early.clear()

    def take(self, payload: bytes) -> Path | None:
        """Take a message of the device's ``up/diag``; give a file's path when this has made it whole.

        What is of no use is counted: not ours, not signed, unknown, of another file.

        Raises:
            AgentError: the folder cannot be written to.
        """
        try:
            header, body = part.decode(payload, self._verifier, fleet=self._fleet, device=self._device)
        except MessageInvalid as error:
            self.refused[error.refusal] += 1
            return None
        if header.command != self._command:
            self.refused["other"] += 1
            return None
        if not self._told:
            if len(self._early) < _EARLY:
                self._early.append((header, body))
            else:
                self.refused["early"] += 1
            return None
        return self._put(header, body)

    def missing(self) -> dict[str, tuple[int, ...]]:
        """Give, by file, the parts that have not come; none of a file that the device has lost."""
        return {
            name: tuple(n for n in range(one.told.parts) if n not in one.got)
            for name, one in self._coming.items()
            if name not in self.done and not one.gone
        }

    @property
    def gone(self) -> tuple[str, ...]:
        """The files that the device does not have any more."""
        return tuple(name for name, one in self._coming.items() if one.gone and name not in self.done)

    @property
    def complete(self) -> bool:
        """Whether nothing more will come."""
        return self._told and not self.missing()

    def close(self) -> None:
        """Delete what is not whole."""
        for one in self._coming.values():
            one.temporary.unlink(missing_ok=True)

    def _put(self, header: part.Header, body: bytes) -> Path | None:
        one = self._coming.get(header.file)
        if one is None or (header.sha256, header.of) != (one.told.sha256, one.told.parts):
            self.refused["unknown"] += 1
            return None
        if header.gone:
            one.gone = True
            return None
        size = min(part.PART_BYTES, one.told.bytes - header.n * part.PART_BYTES)
        if len(body) != size:
            self.refused["format"] += 1
            return None
        if header.file in self.done or header.n in one.got:
            return None
        one.gone = False
        try:
            return self._write(one, header.n, body)
        except OSError as error:
            raise AgentError(
                "write", str(self._folder), error.strerror or str(error), advice(error)
            ) from error

    def _write(self, one: _Coming, n: int, body: bytes) -> Path | None:
        self._folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(one.temporary, flags, 0o600), "r+b") as file:
            file.seek(n * part.PART_BYTES)
            file.write(body)
            one.got.add(n)
            if len(one.got) < one.told.parts:
                return None
            file.truncate(one.told.bytes)
            file.seek(0)
            if hashlib.file_digest(file, "sha256").hexdigest() != one.told.sha256:
                self.refused["hash"] += one.told.parts
                one.got.clear()  # some part was a lie, nobody knows which
                return None
            os.fsync(file.fileno())
        self.done[one.told.name] = path = self._place(one)
        return path

    def _place(self, one: _Coming) -> Path:
        """Give a whole file its name; one that is taken stays what it is."""
        stem, dot, ending = one.told.name.partition(".")
        for number in range(1, _NUMBERS):
            more = f"-{number}" if number > 1 else ""
            path = self._folder / f"{self._device}-{stem}{more}{dot}{ending}"
            if _made(path):
                return one.temporary.replace(path)
        raise FileExistsError(f"{self._device}-{one.told.name} and {_NUMBERS} more are there")


def _made(path: Path) -> bool:
    """Make an empty file; give whether there was none."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    return True
