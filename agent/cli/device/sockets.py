"""Which agent a command asks: by its socket, by its configuration, or the service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.device import service
from agent.cli.device.settings import Loaded, default_control, default_data_folder
from agent.errors import AgentError

if TYPE_CHECKING:
    import argparse


def add_socket(parser: argparse.ArgumentParser) -> None:
    """Declare the two ways to name an agent."""
    parser.add_argument("--config", "-c", type=Path, metavar="FILE", help="the agent's configuration")
    parser.add_argument(
        "--socket", type=Path, metavar="PATH", help="the agent's socket, over the configuration"
    )


def socket_of(arguments: argparse.Namespace) -> Path:
    """Find the agent's socket, by ``--socket``, by ``--config``, or where the service has it.

    Raises:
        ConfigInvalid: the configuration is wrong.
        AgentError: the service does not run, or is not ours to ask.
    """
    if arguments.socket:
        return Path(arguments.socket)
    if arguments.config:
        service.look_as(arguments.config)
        return Loaded(arguments.config).plan().control
    try:
        if service.SOCKET.exists():  # the service's own socket: its configuration may be unreadable to us
            return service.SOCKET
    except PermissionError as error:
        hint = "Run this as root, or as the service's user"
        raise AgentError("ask agent at", str(service.SOCKET), "permission denied", hint) from error
    if service.CONFIG.exists():
        control = Loaded(service.CONFIG).plan().control
        if not control.exists():
            hint = "Start it: sudo systemctl start edge-agent; why it stopped: journalctl -u edge-agent"
            raise AgentError("ask agent at", str(service.SOCKET), "the service does not run", hint)
        return control
    return default_control(default_data_folder())
