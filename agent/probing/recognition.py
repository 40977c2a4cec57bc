"""Recognises this machine: the profiles that come with the agent, or a file of one's own."""

from __future__ import annotations

from pathlib import Path

from agent import resources
from agent.boards import matching as boards
from agent.boards import profiles
from agent.boards.matching import AUTO, Recognised
from agent.errors import ConfigInvalid
from agent.probing.machine import Machine

_MAX_BYTES = 1 << 16


def recognise(wanted: str = AUTO, folder: Path | None = None, machine: Machine | None = None) -> Recognised:
    """Give this machine's profile, and why it is that one.

    Args:
        wanted: "auto", a profile's name, or the path of a profile: what holds a "/" or ends in ".toml".
        folder: where a relative path starts; the current folder when None.
        machine: what is looked at; this one when None.

    Raises:
        ConfigInvalid: there is no such profile, it is not valid, or two match equally well.
    """
    files = dict(resources.device_profiles())
    known = [read(file) for file in files.values()]
    if "/" in wanted or wanted.endswith(".toml"):
        own = read((folder or Path()) / wanted)
        known = [own, *(one for one in known if one.name != own.name)]
        wanted = own.name
    patterns = {pattern for one in known for match in one.match for pattern in match.files}
    return boards.choose(known, wanted, (machine or Machine()).facts(sorted(patterns)))


def read(path: Path) -> profiles.Profile:
    """Read a profile's file.

    Raises:
        ConfigInvalid: it cannot be read, or is no valid profile.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ConfigInvalid("read profile", str(path), "larger than 64 KB", loc=("profile",))
        text = content.decode()
    except (OSError, ValueError) as error:
        words = (error.strerror if isinstance(error, OSError) else "") or "no UTF-8 text"
        hint = "Name a profile, or a file of your own: see docs/howto/add-a-board.md"
        raise ConfigInvalid("read profile", str(path), words.lower(), hint, loc=("profile",)) from error
    return profiles.parse(text, str(path))
