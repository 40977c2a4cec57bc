"""Brings a repository to a broker: what is new, what it has lost; and takes away what nobody needs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from agent.errors import Absent, AgentError, FetchFailed
from agent.fleet.progress import bar
from agent.fleet.repository import standing
from agent.fleet.repository.catalog import Piece, blobs, cut, metadata
from agent.published import BLOB, HINT, META, MOST_CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from agent.fleet.repository.repository import Repository
    from agent.fleet.repository.wire import Wire

_TIMESTAMP = f"{META}/timestamp.json"
_LAST = (_TIMESTAMP, HINT)
_HELD_S = 3.0
"""So long a broker of several machines may take until all of them know a message."""
_TURN_S = 0.2
_PROBES = 8
"""Chunks of a file that are looked at first."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What was done at the broker.

    Attributes:
        paths: the pieces that were sent, in order.
        size: their bytes.
        looked: how many pieces were compared with what the broker has.
    """

    paths: list[str] = field(default_factory=list)
    size: int = 0
    looked: int = 0


class Publisher:
    """One repository and one broker.

    Args:
        repository: open.
        wire: entered.
        shown: whether bars are shown on a terminal.
    """

    def __init__(self, repository: Repository, wire: Wire, *, shown: bool = True) -> None:
        self._repository = repository
        self._wire = wire
        self._shown = shown
        self._known = {piece.path for piece in self._pieces()} - {*_LAST}
        self._in_step = self._empty = False

    def compare(self) -> bool:
        """See how the broker stands: whether it has what we published last.

        Raises:
            ConfigInvalid: it has what another copy of this folder has signed since: signing here, too, would
                give devices two truths.
            LinkLost: the broker is away.
        """
        in_step = standing.compare(self._repository, self._wire.shelf)
        self._in_step, self._empty = bool(in_step), in_step is None
        return self._in_step

    def send(self) -> Sent:
        """Send what a commit has made new; all that is missing where the broker was not in step before.

        A broker that has no timestamp is taken for an empty one.

        Raises:
            MessageInvalid: something is too large; nothing was sent.
            LinkLost: the broker is away for too long.
            AgentError: the broker does not take a message over.
        """
        if self._empty:
            return self._send(self._pieces())
        if not self._in_step:
            return self.heal()
        return self._send([piece for piece in self._pieces() if piece.path not in self._known])

    def check(self) -> None:
        """Refuse new files whose chunks are too large for the broker, before anything is signed.

        Raises:
            MessageInvalid: one is.
        """
        self._wire.check(piece for piece in blobs(self._repository) if piece.path not in self._known)

    def check_meta(self, name: str, content: bytes) -> None:
        """Refuse metadata that is too large for the broker, before it counts.

        Raises:
            MessageInvalid: it is.
        """
        self._wire.check([Piece(f"{META}/{name}", len(content), content=content)])

    def heal(self) -> Sent:
        """Compare all that is published with what the broker has, and send what is missing or different.

        Raises:
            MessageInvalid: something is too large; nothing was sent.
            LinkLost: the broker is away for too long.
            AgentError: the broker does not take a message over.
        """
        files, meta = blobs(self._repository), metadata(self._repository)
        self._wire.check([*files, *meta])
        missing: list[Piece] = []
        with bar("looking", sum(piece.size for piece in (*files, *meta)), shown=self._shown) as step:
            for sha256, pieces in groupby(files, key=_blob):
                missing += self._missing_chunks(sha256, list(pieces), step)
            for piece in meta:
                if standing.read(self._wire.shelf, piece.path, piece.size) != piece.read():
                    missing.append(piece)
                step(piece.size)
        sent = self._send(missing)
        return Sent(sent.paths, sent.size, len(files) + len(meta))

    def gc(self, meta: Iterable[str], files: Iterable[str]) -> list[str]:
        """Have the broker forget what no signed metadata needs any more; give the paths.

        Args:
            meta: names of metadata that is not needed.
            files: hashes of files that are not needed; they are still here.

        Raises:
            AgentError: the broker does not have the newest metadata, so its devices may still need the rest.
            LinkLost: the broker is away for too long.
        """
        if not self._in_step:
            problem = "it does not have what was published last"
            raise AgentError("clean", "the broker", problem, "Run first: edgectl heal")
        tree, cuts = self._repository.tree, self._repository.cuts
        paths = [f"{META}/{name}" for name in sorted(meta)]
        for sha256 in sorted(files):
            if (path := tree.blob(sha256)).exists():
                size = path.stat().st_size
                paths += [piece.path for piece in cut(path, sha256, size, cuts.get(sha256, size))]
        with bar("cleaning", len(paths), shown=self._shown) as step:
            self._wire.clear(paths, lambda _: step(1))
        return paths

    def _pieces(self) -> list[Piece]:
        """Give all that is published, in order."""
        return [*blobs(self._repository), *metadata(self._repository)]

    def _send(self, pieces: Sequence[Piece]) -> Sent:
        size = sum(piece.size for piece in pieces)
        self._wire.check(pieces)
        with bar("sending", size, shown=self._shown) as step:
            for stage in _stages(pieces):
                self._wire.send(stage, step)
        self._look_again(pieces[-1:])
        return Sent([piece.path for piece in pieces], size)

    def _look_again(self, pieces: Sequence[Piece]) -> None:
        """See that the broker holds what it has confirmed: MQTT 3.1.1 has no word for "not allowed"."""
        for piece in pieces:
            give_up = time.monotonic() + _HELD_S
            while standing.read(self._wire.shelf, piece.path, piece.size) != piece.read():
                if time.monotonic() > give_up:
                    problem = "the broker has confirmed it, and does not hold it"
                    hint = "See its access list for this user, and whether it keeps retained messages"
                    raise AgentError("publish", piece.path, problem, hint)
                time.sleep(_TURN_S)

    def _missing_chunks(
        self, sha256: str, pieces: Sequence[Piece], step: Callable[[int], object]
    ) -> list[Piece]:
        """Give the chunks of a file that the broker does not have as they are.

        That a chunk is not there takes a while to be known: where none of a few is, all are sent.
        """
        probe = range(0, len(pieces), -(-len(pieces) // _PROBES))
        rest = [number for number in range(len(pieces)) if number not in probe]
        sound = self._sound(sha256, pieces, probe, step)
        if sound:
            sound |= self._sound(sha256, pieces, rest, step)
        else:
            step(sum(pieces[number].size for number in rest))
        return [piece for number, piece in enumerate(pieces) if number not in sound]

    def _sound(
        self, sha256: str, pieces: Sequence[Piece], numbers: Sequence[int], step: Callable[[int], object]
    ) -> set[int]:
        """Give those of these chunks that the broker has as they are."""
        sound: set[int] = set()
        try:
            for number, found in self._wire.shelf.chunks(sha256, numbers, MOST_CHUNK):
                step(pieces[number].size)
                if found == pieces[number].read():
                    sound.add(number)
        except FetchFailed as error:
            if not isinstance(error, Absent):  # one is too large, and the others were not looked at
                return set()
        return sound


def _stages(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Give the pieces in stages: what is sent when all before it is confirmed."""
    for _, stage in groupby(pieces, key=_stage):
        yield list(stage)


def _stage(piece: Piece) -> str:
    """Blobs together; roots, and what snapshots name, together; the others alone."""
    if not piece.path.startswith(META):
        return BLOB if piece.path.startswith(BLOB) else HINT
    role = piece.path.removesuffix(".json").rpartition(".")[2]
    return role if role == "snapshot" else piece.path if piece.path == _TIMESTAMP else META


def _blob(piece: Piece) -> str:
    return piece.path.split("/")[1]
