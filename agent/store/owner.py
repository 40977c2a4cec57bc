"""Whose records a data folder holds: a copied one must not be delivered under another device's name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.errors import AgentError, ConfigInvalid
from agent.events import Event, emit
from agent.store.inspect import look_at_state, segment_files

if TYPE_CHECKING:
    from pathlib import Path

OWNER = "device"
"""The file that names the device."""
_MOST = 64
_NEW = ".new"


def claim(folder: Path, device: str) -> None:
    """Note that the folder is this device's; the caller holds it.

    A folder in which nothing waits may change hands. A disk that refuses is asked again at the next start.

    Raises:
        ConfigInvalid: records of another device wait in it.
    """
    owner = owner_of(folder, device)
    if owner == device:
        return
    try:
        _write(folder, device)
    except OSError as error:
        emit(Event.STORE_FAILED, "note whose folder it is", problem=error.strerror)


def owner_of(folder: Path, device: str) -> str:
    """Whose the folder is, for a device that would have it; "" when it is nobody's yet.

    Raises:
        ConfigInvalid: records of another device wait in it.
    """
    owner = _owner(folder)
    if owner not in {"", device} and _waits(folder):
        problem = f"records of the device {owner!r} wait in it, and this one is {device!r}"
        hint = f"Set device.id to {owner!r} until they are delivered, or set store.path to another folder"
        raise ConfigInvalid("use data folder", str(folder), problem, hint)
    return owner


def _owner(folder: Path) -> str:
    try:
        with (folder / OWNER).open(encoding="utf-8", errors="replace") as file:
            return file.read(_MOST).strip()
    except OSError:
        return ""  # nobody's yet


def _waits(folder: Path) -> bool:
    """Whether there may be records that are not delivered; the newest segment stays until the next start."""
    try:
        rows = look_at_state(folder).epochs
        delivered = {
            (row.stream, row.epoch) for row in rows if row.last is not None and row.acked >= row.last
        }
        return any((one.name.stream, one.name.epoch) not in delivered for one in segment_files(folder))
    except AgentError:
        return True


def _write(folder: Path, device: str) -> None:
    """Write the name, whole or not at all."""
    new = folder / (OWNER + _NEW)
    with new.open("w", encoding="utf-8") as file:
        file.write(f"{device}\n")
        file.flush()
        os.fsync(file.fileno())
    new.rename(folder / OWNER)
