"""Whose records a data folder holds: a copied one must not be delivered under another device's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import AgentError, ConfigInvalid, StoreBusy
from agent.events import Event, emit
from agent.files import write_durably
from agent.sqlite import refusals
from agent.store.inspect import look_at_state, segment_files

if TYPE_CHECKING:
    from pathlib import Path

OWNER = "device"
"""The file that names the device."""
_MOST = 64


def claim(folder: Path, device: str) -> None:
    """Note that the folder is this device's; the caller holds it.

    A folder in which nothing waits may change hands. That one was nobody's is noted at the next start, if the
    disk does not let us now.

    Raises:
        ConfigInvalid: records of another device wait in it, or the word of what it has lost.
        StoreBusy: it cannot be said whose it is for now, or the other's name stays.
    """
    owner = owner_of(folder, device)
    if owner == device:
        return
    try:
        with refusals("write", folder / OWNER):
            write_durably(folder / OWNER, f"{device}\n".encode(), 0o644)
    except StoreBusy as error:
        if owner:
            raise
        emit(Event.STORE_FAILED, "note whose folder it is", problem=error)


def owner_of(folder: Path, device: str) -> str:
    """Whose the folder is, for a device that would have it; "" when it is nobody's yet.

    Raises:
        ConfigInvalid: records of another device wait in it.
    """
    owner = _owner(folder)
    if owner not in {"", device} and _waits(folder):
        problem = f"records of the device {owner!r} wait in it, and this one is {device!r}"
        hint = (
            f"Set device.id to {owner!r} until they are delivered, set store.path to another folder, "
            f"or give them up: sudo rm -r {folder.resolve()}"
        )
        raise ConfigInvalid("use data folder", str(folder), problem, hint)
    return owner


def _owner(folder: Path) -> str:
    with refusals("read", folder / OWNER):
        try:
            with (folder / OWNER).open(encoding="utf-8", errors="replace") as file:
                return file.read(_MOST).strip()
        except FileNotFoundError:
            return ""  # nobody's yet


def _waits(folder: Path) -> bool:
    """Whether there may be something to deliver; the newest segment stays until the next start."""
    try:
        look = look_at_state(folder)
        ended = {
            (row.stream, row.epoch): row.acked >= row.last for row in look.epochs if row.last is not None
        }
        files = {(one.name.stream, one.name.epoch) for one in segment_files(folder)}
        return bool(look.losses) or not all(ended.values()) or not files <= ended.keys()
    except AgentError:
        return True
