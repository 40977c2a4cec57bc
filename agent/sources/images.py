"""Picture and array files: each is one frame."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.errors import InputRejected, SourceEnded
from agent.sources.pictures.watching import Watching, places
from agent.types import Frame, Needs

if TYPE_CHECKING:
    from collections.abc import Sequence


class Options(BaseModel):
    """What an image source can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    paths: tuple[str, ...] = Field(min_length=1)
    """Files, folders and patterns such as `shots/*.jpg`, in this order; each is sorted by name and number."""
    loop: bool = False
    """Begin again after the last file; the sequence number goes on."""
    watch: bool = False
    """Give files as they come into the folders, for ever: each when it is whole, in the order they come."""
    backlog_s: float = Field(default=60.0, ge=0, le=31_536_000)
    """With `watch`: files that came so many seconds before it was opened are given, too."""

    @model_validator(mode="after")
    def _can_be_watched(self) -> Options:
        if self.watch and self.loop:
            raise ValueError("watch and loop do not go together")
        if self.watch:
            places(self.paths)
        return self


class ImagesSource:
    """Implements ``Source``. Each frame has a buffer of its own, as pictures differ in size."""

    def __init__(self, files: Sequence[str], start: int, *, loop: bool) -> None:
        self._files = files
        self._next = start
        self._loop = loop

    @property
    def live(self) -> bool:
        """False: files wait."""
        return False

    def read(self, timeout_s: float) -> Frame | None:  # noqa: ARG002 - a file is there at once
        """Read the next file: uint8 (height, width, 3) BGR, or the array that a ``.npy`` file holds.

        Raises:
            SourceEnded: there are no more files.
            InputRejected: this file cannot be read; its sequence number is used up, and the next follows.
        """
        if self._next >= len(self._files) and not self._loop:
            raise SourceEnded(f"images: {len(self._files)} files")
        seq, self._next = self._next, self._next + 1
        path = self._files[seq % len(self._files)]
        return _frame(seq, path)

    def close(self) -> None:
        """Release nothing: each file is closed when it has been read."""


class WatchedImages:
    """Implements ``Source``. Each frame has a buffer of its own, as pictures differ in size."""

    def __init__(self, watching: Watching, start: int) -> None:
        self._watching = watching
        self._next = start

    @property
    def live(self) -> bool:
        """False: files wait."""
        return False

    def read(self, timeout_s: float) -> Frame | None:
        """Read the next file that came: uint8 (height, width, 3) BGR, or the array of a ``.npy`` file.

        Raises:
            SourceLost: a folder is gone.
            InputRejected: this file cannot be read; its sequence number is used up, and the next follows.
        """
        path = self._watching.next(timeout_s)
        if path is None:
            return None
        seq, self._next = self._next, self._next + 1
        return _frame(seq, path)

    def close(self) -> None:
        """Stop watching."""
        self._watching.close()


def _frame(seq: int, path: str) -> Frame:
    """Read a file. InputRejected: it cannot be read, or no record can hold its name."""
    from agent.sources.pictures.picture import read_picture

    captured_ns = time.monotonic_ns()
    shown = path.encode("utf-8", "backslashreplace").decode()
    if shown != path:
        raise InputRejected("read image", shown, "its name is not UTF-8", "Rename it")
    return Frame(seq, captured_ns, read_picture(path), path)


def needs(options: Options) -> Needs:
    """Say what it reads: the folders and files, also those that links lead to.

    Raises:
        InputRejected: as ``build`` does.
    """
    from agent.sources.pictures.listing import list_files, list_folders

    if options.watch:
        return Needs(read=tuple(folder for folder, _ in places(options.paths)))
    links = [path for path in list_files(options.paths) if Path(path).is_symlink()]
    return Needs(read=(*list_folders(options.paths), *links))


def build(options: Options, *, start: int) -> ImagesSource | WatchedImages:
    """List the files, or begin to watch; the first one given is number ``start``.

    Raises:
        InputRejected: the paths lead to no file, or may not be looked at.
        SourceLost: a folder that is to be watched is not there.
    """
    from agent.sources._quiet import quiet
    from agent.sources.pictures.listing import list_files

    quiet()
    if options.watch:
        return WatchedImages(Watching(places(options.paths), options.backlog_s), start)
    return ImagesSource(list_files(options.paths), start, loop=options.loop)
