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


def is_own(config: Path) -> bool:
    """Whether a configuration is the service's. Links that lead in a circle lead nowhere."""
    return os.path.realpath(config) == os.path.realpath(CONFIG)


def look_as(config: Path) -> None:
    """See what the service sees, where the configuration is its own. What the environment says stands.

    Root sees credentials that the service is passed at its next start, too.
    """
    if not is_own(config):
        return
    told = "CREDENTIALS_DIRECTORY" in os.environ
    for name, place in PLACES.items():
        if os.path.lexists(place) and (name == "STATE_DIRECTORY" or os.access(place, os.X_OK)):
            os.environ.setdefault(name, str(place))
    if not told and (kept := _files(CREDSTORE, _PREFIX)):
        passed = os.environ.get("CREDENTIALS_DIRECTORY")
        os.environ["CREDENTIALS_DIRECTORY"] = _linked(kept | (_files(Path(passed)) if passed else {}))


def _files(folder: Path, prefix: str = "") -> dict[str, Path]:
    """Give the files there whose names begin so, by the rest of their names; none where it is not for us."""
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.name.startswith(prefix)]
    except OSError:
        return {}
    return {name.removeprefix(prefix): folder / name for name in names}


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
