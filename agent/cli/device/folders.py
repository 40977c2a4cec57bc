"""Which data folder a command looks into."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.device import service
from agent.cli.device.settings import Loaded, default_data_folder

if TYPE_CHECKING:
    import argparse


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Declare the two ways to name a folder."""
    parser.add_argument("--config", "-c", type=Path, metavar="FILE", help="the agent's configuration")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="the data folder, over the configuration's"
    )


def data_folder(arguments: argparse.Namespace) -> Path:
    """The folder that is named, else that of the agent whose configuration is named, else the service's.

    Raises:
        ConfigInvalid: the configuration is wrong.
    """
    if arguments.folder:
        return Path(arguments.folder)
    config = Path(arguments.config or service.CONFIG)
    service.look_as(config)
    if arguments.config or os.access(config, os.R_OK):
        return Loaded(config).data_folder
    return default_data_folder()
