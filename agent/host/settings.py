"""The helper's own configuration, ``/etc/edge-agent/host.toml``: what root allows, whoever asks."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import ConfigInvalid
from agent.validation import first_problem, tables

CONFIG = Path("/etc/edge-agent/host.toml")
FOLDER = "/var/lib/private/edge-agent/host"
"""Where the agent's requests stand: the real name of its StateDirectory with a dynamic user."""
_MAX_BYTES = 64 << 10
_OP = "read configuration"
_HINT = "See docs/operations.md, The machine"

Plain = Annotated[str, Field(pattern=r"^[A-Za-z0-9/][^\x00-\x1f]{0,500}$")]
"""Text that no program takes for an option."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Update(_Table):
    """How another release of the agent is installed. Without this table none is."""

    manager: Literal["pip", "apt"]
    """The package manager."""
    package: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+_-]*(\[[a-z0-9,_-]+\])?$", max_length=100)] = (
        "edge-inference-agent"
    )
    """The package's name; with `pip` extras may follow, as `edge-inference-agent[fleet]`."""
    index: Plain = "https://pypi.org/simple"
    """With `pip`, the index that it comes from."""
    wheels: Plain | Literal[""] = ""
    """With `pip`, a folder of wheels in place of an index."""
    place: Annotated[str, Field(pattern=r"^/[^\x00-\x1f]+[^/\x00-\x1f]$", max_length=200)] = "/opt/edge-agent"
    """With `pip`, the link to the virtual environment that runs; others stand beside it. With `apt`, the
    package's own."""
    installer: Annotated[tuple[str, ...], Field(max_length=8)] = ()
    """With `pip`, the command that is pip; empty: that of the release before."""
    probation_s: float = Field(default=600.0, ge=1, le=86400)
    """How long a new release has to give its word that it is well, seconds."""
    steady_s: float = Field(default=60.0, ge=0, le=3600)
    """How long it must have been well on end, seconds."""


class HostSettings(_Table):
    """All of it."""

    folder: Annotated[str, Field(pattern=r"^/", max_length=200)] = FOLDER
    """Where the agent writes its requests."""
    reboot: bool = False
    """Whether the machine is rebooted when the agent asks for it."""
    rest_s: float = Field(default=600.0, ge=0, le=86400)
    """How long the machine must have been up before it is rebooted, seconds: no loop of reboots."""
    unit: Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9@_.-]*\.service$", max_length=100)] = (
        "edge-agent.service"
    )
    """The agent's unit."""
    config: Annotated[str, Field(pattern=r"^/", max_length=200)] = "/etc/edge-agent/agent.toml"
    """The agent's configuration, which a new release is checked with."""
    update: Update | None = None


def load(path: Path) -> HostSettings:
    """Read the configuration; without a file nothing is allowed.

    Raises:
        ConfigInvalid: somebody else than root could write it, or it does not hold.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return HostSettings()
    except OSError as error:
        raise ConfigInvalid(_OP, str(path), error.strerror or "it cannot be read", _HINT) from error
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        problem = "others than root may write it"
        raise ConfigInvalid(_OP, str(path), problem, f"chown root {path} && chmod 644 {path}")
    try:
        return HostSettings.model_validate(tables(content[:_MAX_BYTES].decode()))
    except ValidationError as error:
        raise ConfigInvalid(_OP, str(path), first_problem(error), _HINT) from error
    except ValueError as error:
        raise ConfigInvalid(_OP, str(path), f"it is no TOML: {error}", _HINT) from error
