"""A bundle's folder while it is made: beside its place, under another name, until all of it is right."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import AgentError
from agent.files import advice, sync_folder
from agent.manifest import entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.manifest import FileEntry

_OP = "write bundle"
_MODE = 0o755


class Staging:
    """A folder that becomes the bundle when ``keep`` is called.

    Attributes:
        folder: where its files lie meanwhile.
        entries: what the manifest says of each.
    """

    def __init__(self, folder: Path, out: Path, chunk_size: int) -> None:
        self.folder = folder
        self.entries: list[FileEntry] = []
        self._out = out
        self._chunk_size = chunk_size

    def put(self, path: str, content: bytes) -> str:
        """Add a file that the manifest lists; give its path in the bundle."""
        self._write(path, content)
        self.entries.append(entry(path, content, self._chunk_size))
        return path

    def keep(self, name: str, content: bytes) -> None:
        """Add the manifest, and put the folder into its place; it is durable when this returns."""
        self._write(name, content)
        try:
            for folder, _, _ in os.walk(self.folder):
                sync_folder(Path(folder))
            self.folder.chmod(_MODE)
            self.folder.rename(self._out)
            sync_folder(self._out.parent)
        except OSError as error:
            raise _refused(self._out, error) from error

    def _write(self, path: str, content: bytes) -> None:
        target = self.folder / path
        try:
            target.parent.mkdir(exist_ok=True)
            with target.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _refused(self._out, error) from error


@contextmanager
def staging(out: Path, chunk_size: int) -> Iterator[Staging]:
    """Make a folder beside ``out``, and take it away again if it was not kept.

    Raises:
        AgentError: there is something at ``out`` already, or the folder cannot be written.
    """
    if out.exists() or out.is_symlink():
        hint = "Name another with --out, or delete it"
        raise AgentError(_OP, str(out), "it is there already", hint)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".new", dir=out.parent))
    except OSError as error:
        raise _refused(out, error) from error
    try:
        yield Staging(folder, out, chunk_size)
    finally:
        if folder.exists():
            shutil.rmtree(folder)


def _refused(out: Path, error: OSError) -> AgentError:
    problem = (error.strerror or str(error)).lower()
    return AgentError(_OP, str(out), problem, advice(error))
