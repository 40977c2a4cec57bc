"""Where the service keeps its things, for commands that look after it from outside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

CONFIG = Path("/etc/edge-agent/agent.toml")
SOCKET = Path("/run/edge-agent/agent.sock")
"""Where the systemd unit's RuntimeDirectory puts the control socket."""
PLACES = {
    "STATE_DIRECTORY": Path("/var/lib/edge-agent"),
    "RUNTIME_DIRECTORY": SOCKET.parent,
    "CREDENTIALS_DIRECTORY": Path("/run/credentials/edge-agent.service"),
}
"""What the unit tells the agent in its environment; the credentials are there while it runs."""


CREDSTORE = Path("/etc/credstore")
"""Where LoadCredential= of the unit finds what it passes on; for root only."""
_PREFIX = "edge-agent."


def look_as(config: Path) -> None:
    """See what the service sees, where the configuration is its own. What the environment says stands.

    Root sees the credentials of a service that does not run, too.
    """
    if config.resolve() != CONFIG.resolve():
        return
    for name, place in PLACES.items():
        if os.path.lexists(place) and (name == "STATE_DIRECTORY" or os.access(place, os.X_OK)):
            os.environ.setdefault(name, str(place))
    if "CREDENTIALS_DIRECTORY" not in os.environ and (kept := _kept()):
        os.environ["CREDENTIALS_DIRECTORY"] = _linked(kept)


def _kept() -> dict[str, Path]:
    """Give the files that the service would be passed, by the names that it knows them by."""
    try:
        names = [entry.name for entry in os.scandir(CREDSTORE) if entry.name.startswith(_PREFIX)]
    except OSError:  # it is not there, or not for us
        return {}
    return {name.removeprefix(_PREFIX): CREDSTORE / name for name in names}


def _linked(files: dict[str, Path]) -> str:
    """Give a folder for us alone with links to these files, until this process ends."""
    import atexit
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="edge-agent-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, file in files.items():
        (folder / name).symlink_to(file)
    return str(folder)


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare the option that names the configuration."""
    parser.add_argument("--config", "-c", type=Path, default=CONFIG, metavar="FILE", help=f"default {CONFIG}")
