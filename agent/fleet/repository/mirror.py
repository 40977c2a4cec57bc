"""The same tree as files, for any web server: meta/..., blob/<sha256>/<n>, hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import AgentError
from agent.files import NEW, advice, write_durably
from agent.fleet.repository.catalog import blobs, metadata
from agent.published import BLOB, META

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.fleet.repository.repository import Repository


def refresh(repository: Repository, folder: Path, step: Callable[[int], object] = int) -> tuple[int, int]:
    """Bring a mirror up to date; give how many files were written, and how many taken away.

    Files that are there as they should be are left alone. A client that reads meanwhile finds the old tree or
    the new one: the timestamp and the hint are written last, and only then what nobody needs is deleted.

    Args:
        repository: open.
        folder: the mirror's; made when it is not there.
        step: told of each file's bytes.

    Raises:
        AgentError: the folder cannot be written, or a file of the repository cannot be read.
    """
    pieces = [*blobs(repository), *metadata(repository)]
    written = 0
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for piece in pieces:
            path = folder / piece.path
            content = piece.read()
            if not (path.is_file() and path.stat().st_size == piece.size and path.read_bytes() == content):
                path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                write_durably(path, content, 0o644)
                written += 1
            step(piece.size)
        return written, _clean(folder, {piece.path for piece in pieces})
    except OSError as error:
        problem, hint = error.strerror or str(error), advice(error)
        raise AgentError("mirror to", str(folder), problem, hint) from error


def _clean(folder: Path, kept: set[str]) -> int:
    """Take away files that are published no longer, and what a kill has left; nothing else."""
    gone = 0
    for path in [*(folder / META).glob("*"), *(folder / BLOB).glob("*/*"), *folder.glob(f".hint{NEW}")]:
        if path.is_file() and path.relative_to(folder).as_posix() not in kept:
            path.unlink()
            gone += 1
    for place in (folder / BLOB).glob("*"):
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()
    return gone
