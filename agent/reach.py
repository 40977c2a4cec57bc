"""What commands can reach of a running agent: each part is there, or says why it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.commands.seams import (
        Configuration,
        Credentials,
        Data,
        Logs,
        Machine,
        Pictures,
        Programs,
        Restarts,
        Rollbacks,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The parts; None for one that this agent does not have.

    Attributes:
        device: this device's id.
        status: gives what ``edge-agent status --json`` shows.
    """

    device: str
    status: Callable[[], dict[str, Any]]
    lanes: Restarts | None = None
    models: Rollbacks | None = None
    configuration: Configuration | None = None
    logs: Logs | None = None
    pictures: Pictures | None = None
    programs: Programs | None = None
    data: Data | None = None
    credentials: Credentials | None = None
    machine: Machine | None = None
