"""Which paths a process may have, beside those that stay closed to it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.confinement.landlock import READ, READ_DIR, Grant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def carved(path: str, hidden: list[str]) -> Iterator[Grant]:
    """Grant reading of ``path``, but for what is hidden in it: there only its names can be seen."""
    if any(path == one or path.startswith(one.rstrip("/") + "/") for one in hidden):
        return
    if not any(one.startswith(path.rstrip("/") + "/") for one in hidden):
        yield Grant(path, READ)
        return
    yield Grant(path, READ_DIR)
    try:
        with os.scandir(path) as entries:
            below = [os.path.realpath(entry.path) for entry in entries]
    except OSError:  # what cannot be listed cannot be read either
        return
    for one in below:
        yield from carved(one, hidden)


def open_to(hidden: Iterable[str], devices: Iterable[str]) -> tuple[str, ...]:
    """Leave out what is no device but hidden, or holds what is: a folder of nodes is granted as a whole."""
    closed = [os.path.realpath(path) for path in hidden]
    return tuple(path for path in devices if not any(_meet(os.path.realpath(path), one) for one in closed))


def _meet(path: str, other: str) -> bool:
    one, two = path.rstrip("/") + "/", other.rstrip("/") + "/"
    return one.startswith(two) or two.startswith(one)


def named_files(given: Mapping[str, object]) -> tuple[str, ...]:
    """Give the files that options name: whose option that is, nobody knows before a decoder is loaded."""
    texts = [value for value in given.values() if isinstance(value, str) and value and "\0" not in value]
    return tuple(path for path in texts if os.path.isfile(path))  # noqa: PTH113 - beside os.path.realpath


def identity(path: str) -> tuple[int, int] | None:
    """Tell what is at a path from what comes there later: device and inode; None where nothing is."""
    try:
        found = os.stat(path)  # noqa: PTH116 - the simulated cameras of the tests answer to it
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
