"""The names and keys of simulated devices, in the operator's folder beside those of real ones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.errors import AgentError, ConfigInvalid
from agent.files import NEW, advice
from agent.fleet import inventory
from agent.fleet.keys import DEVICES, make_keys, show
from agent.link.topics import NAME_HINT, is_name
from agent.trust.signing import generate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

GROUP = "simulated"
"""The group of the operator's list that all simulated devices are in, and no real one."""


def names(prefix: str, count: int) -> tuple[str, ...]:
    """Give the names of ``count`` devices: ``PREFIX-0001`` and so on.

    Raises:
        ConfigInvalid: the prefix makes no name.
    """
    digits = max(4, len(str(count)))
    found = tuple(f"{prefix}-{number:0{digits}}" for number in range(1, count + 1))
    if not all(map(is_name, found[-1:])):
        raise ConfigInvalid("simulate", f"--prefix {prefix!r}", "no device can be called so", NAME_HINT)
    return found


def groups_with(group: str) -> tuple[str, ...]:
    """Give the groups that simulated devices are in, with a further one.

    Raises:
        ConfigInvalid: no group can be called so.
    """
    if not is_name(group):
        raise ConfigInvalid("simulate", f"--group {group!r}", "no group can be called so", NAME_HINT)
    return tuple(dict.fromkeys((GROUP, group)))


def enrol(folder: Path, devices: Sequence[str], group: str = GROUP) -> None:
    """Make the keys of simulated devices that are not there yet, and put them in the operator's list.

    Args:
        folder: the operator's.
        devices: their names.
        group: a further group that they are in.

    Raises:
        ConfigInvalid: one of these names is a real device's, or no group can be called so.
        AgentError: the folder cannot be written.
    """
    place, groups = folder / DEVICES, groups_with(group)
    for name in devices:
        there = any((place / f"{name}{ending}").exists() for ending in (".pub", ".key", inventory.ENDING))
        if there and GROUP not in inventory.find(folder, name).groups:
            hint = "Simulate under other names: --prefix"
            raise ConfigInvalid("simulate", name, f"a real device of {folder} is called so", hint)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in devices:  # first: what has a key and no entry would pass for a real device
            entry = inventory.find(folder, name)
            if entry.groups != groups:
                changed = entry.model_copy(update={"groups": groups})
                _write(place / f"{name}{inventory.ENDING}", changed.model_dump_json().encode(), 0o644)
        make_keys(folder)
        for name in devices:
            _make_pair(place / name)
        show(folder)
    except OSError as error:
        problem = error.strerror or str(error)
        raise AgentError("write", str(folder), problem, advice(error)) from error


def _make_pair(stem: Path) -> None:
    """Make a device's keys, if they are not there. Nothing waits for the disk: they are easily made again."""
    private, public = stem.with_name(f"{stem.name}.key"), stem.with_name(f"{stem.name}.pub")
    if not (private.exists() and public.exists()):
        for path, pem, mode in zip((private, public), generate(), (0o600, 0o644), strict=True):
            _write(path, pem, mode)


def _write(path: Path, content: bytes, mode: int) -> None:
    new = path.with_name(f".{path.name}{NEW}")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
        file.write(content)
    new.rename(path)
