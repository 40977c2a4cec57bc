"""A recording on the disk, as record and replay look at it and write results into it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from agent.errors import AgentError, InputRejected
from agent.recordings.reading import Reader
from agent.recordings.writing import with_results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from agent.recordings.documents import Head, Outcome, Results

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a recording holds.

    Attributes:
        path: of the file.
        head: what it is of.
        frames: how many can be read, those that failed included.
        remark: how it ends otherwise than it should; "" for nothing.
        results: what its results are of; None where it has none.
        outcomes: the results, by the frame's number.
    """

    path: Path
    head: Head
    frames: int
    remark: str
    results: Results | None
    outcomes: dict[int, Outcome]


def look(path: Path) -> Recorded:
    """Look through a recording without reading its frames.

    Raises:
        InputRejected: it is no recording, or cannot be read.
    """

    def looked(reader: Reader) -> Recorded:
        _pass(reader)
        outcomes = {one.frame: one for one in reader.outcomes()}
        return Recorded(path, reader.head, reader.frames, reader.remark, reader.results, outcomes)

    return _with_reader(path, looked)


def write_results(path: Path, results: Results, outcomes: Iterable[Outcome]) -> None:
    """Write results into a recording, in the place of any that it had: as a whole or not at all.

    Raises:
        InputRejected: it is no recording, or cannot be read.
        AgentError: its folder cannot be written.
    """

    def written(reader: Reader) -> None:
        _pass(reader)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with path.open("rb") as file, os.fdopen(descriptor, "wb") as into:
                os.fchmod(descriptor, path.stat().st_mode & 0o777)
                with_results(file, reader.frames_end, into, results, outcomes)
                into.flush()
                os.fsync(descriptor)
            aside.replace(path.resolve())
        except OSError as error:
            hint = "Make room in its folder, or copy it to where you may write"
            raise AgentError(
                "write results", str(path), (error.strerror or str(error)).lower(), hint
            ) from error
        finally:
            aside.unlink(missing_ok=True)

    _with_reader(path, written)


def _pass(reader: Reader) -> None:
    """Pass all frames, up to where the recording is sound."""
    try:
        while reader.take() is not None:
            pass
    except InputRejected:
        return  # the reader's remark says so


def _with_reader(path: Path, use: Callable[[Reader], T]) -> T:
    try:
        if not path.is_file():  # opening a FIFO would wait for its writer
            problem = "it is not a regular file" if path.exists() else "there is no such file"
            raise InputRejected("read recording", str(path), problem, "Name a file of edge-agent record")
        with path.open("rb") as file:
            return use(Reader(file, str(path)))
    except (OSError, ValueError) as error:
        problem = (getattr(error, "strerror", None) or str(error)).lower()
        raise InputRejected("read recording", str(path), problem, "Check the path") from error
