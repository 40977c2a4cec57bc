"""What the tuner has chosen, as a worker is told of it: how a model runs on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.slots import Tuning


class Pick(BaseModel):
    """A choice for one model on one runtime."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    """Of the model file."""
    runtime: str
    """Name and version."""
    threads: int = Field(ge=1, le=16)
    xnnpack: bool


def picked(picks: Iterable[Pick], sha256: str, runtime: str) -> Pick | None:
    """Give the choice for a model on a runtime; None where nobody has made one."""
    return next((one for one in picks if (one.sha256, one.runtime) == (sha256, runtime)), None)


def picks_of(tunings: Iterable[Tuning], board: str, machine: str) -> tuple[Pick, ...]:
    """Give the choices that were made on this board and machine: another's say nothing here."""
    return tuple(
        Pick(sha256=one.sha256, runtime=one.runtime, threads=one.threads, xnnpack=one.xnnpack)
        for one in tunings
        if (one.board, one.machine) == (board, machine)
    )
