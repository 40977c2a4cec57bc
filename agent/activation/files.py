"""Bundles on the disk: whether one is still there, as far as a look at names and sizes can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.load import read_manifest
from agent.errors import ManifestInvalid
from agent.events import Event, emit

if TYPE_CHECKING:
    from pathlib import Path


def make_room(bundles: Path) -> None:
    """Make the folder of bundles, for nobody else's eyes: workers are let into it when they start.

    A disk that refuses is said, and no reason not to start: what is on it can still be read.
    """
    try:
        bundles.parent.mkdir(mode=0o700, exist_ok=True)
        bundles.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        emit(Event.STORE_FAILED, str(bundles), problem=error.strerror or error)


def missing(bundles: Path, bundle: str) -> str:
    """Say what is wrong with a bundle; "" when nothing is. Whoever loads it checks every byte.

    Args:
        bundles: the folder of bundles.
        bundle: its digest.
    """
    folder = bundles / bundle
    try:
        manifest = read_manifest(folder, bundle)
    except ManifestInvalid as error:
        return str(error)
    for one in manifest.files:
        try:
            size = (folder / one.path).stat().st_size
        except OSError as error:
            return f"{folder / one.path}: {error.strerror or error}"
        if size != one.size:
            return f"{folder / one.path}: it has {size} bytes in place of {one.size}"
    return ""
