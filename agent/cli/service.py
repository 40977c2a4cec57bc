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


def look_as(config: Path) -> None:
    """See what the service sees, where the configuration is its own. What the environment says stands."""
    if config.resolve() != CONFIG.resolve():
        return
    for name, place in PLACES.items():
        if os.path.lexists(place) and (name == "STATE_DIRECTORY" or os.access(place, os.X_OK)):
            os.environ.setdefault(name, str(place))


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare the option that names the configuration."""
    parser.add_argument("--config", "-c", type=Path, default=CONFIG, metavar="FILE", help=f"default {CONFIG}")
