"""What was installed: the hash of each file as it was written, to know what somebody has changed since."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.errors import AgentError
from agent.files import write_durably

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORD = "/var/lib/edge-agent-install.json"
_MOST_BYTES = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Record(BaseModel):
    """What stands on a machine because ``edge-agent install`` put it there; by path.

    Attributes:
        v: the version of this document.
        files: the SHA-256 of what was written, hexadecimal.
        once: the same of files that are removed by purging only.
        links: where each link leads.
        coming: the same as in ``files``, of what is about to be written: it may be cut off.
        complete: whether the commands behind it have run, too; else the next run repeats them all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1] = 1
    files: dict[str, str] = {}
    once: dict[str, str] = {}
    links: dict[str, str] = {}
    coming: dict[str, str] = {}
    complete: bool = True

    def wrote(self, path: str, content: bytes) -> bool:
        """Whether this is what stands there because of us."""
        return digest(content) in {self.files.get(path), self.coming.get(path)}


def digest(content: bytes) -> str:
    """Give what a file is known by."""
    return hashlib.sha256(content).hexdigest()


def read(root: Path) -> Record | None:
    """Give the record of a machine whose root is ``root``; None where nothing was installed.

    Raises:
        AgentError: it cannot be read, or is none.
    """
    path = below(root, RECORD)
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES)
        return Record.model_validate_json(content)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refused("read record", path, error) from error
    except ValidationError as error:
        hint = "Delete it, and install again: files that stand as they are wanted are taken as installed"
        raise AgentError("read record", str(path), "it is no record of an installation", hint) from error


def write(root: Path, record: Record) -> None:
    """Write the record, durably.

    Raises:
        AgentError: the disk refuses.
    """
    path = below(root, RECORD)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, record.model_dump_json(indent=2).encode() + b"\n", 0o644, exact=True)
    except OSError as error:
        raise refused("write record", path, error) from error


@contextmanager
def held(root: Path) -> Iterator[None]:
    """Hold a machine, or an image, inside: two at once would take the other's files for somebody's changes.

    Raises:
        AgentError: another has it.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise AgentError(
            "install", str(root), "another edge-agent install is at it", "Wait for it"
        ) from error
    finally:
        os.close(descriptor)


def refused(op: str, path: Path, error: OSError) -> AgentError:
    """Word what a disk refuses."""
    if isinstance(error, PermissionError):
        return AgentError(op, str(path), "permission denied", "Run it as root: with sudo")
    hint = (
        "Make room on its disk, and run it again" if error.errno in _FULL else "Look at its disk and folder"
    )
    return AgentError(op, str(path), (error.strerror or str(error)).lower(), hint)


def below(root: Path, path: str) -> Path:
    """Give where a path of a machine is that stands in ``root``."""
    return root / path.lstrip("/")
