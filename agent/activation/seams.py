"""What activation needs of a lane and of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agent.workers.messages import Fault, Ready, Swapped, Unswapped
    from agent.workers.policy import State


class Life(Protocol):
    """What is looked at of a worker's life."""

    @property
    def ready(self) -> Ready | None:
        """What it has said of the model that serves."""


class Lane(Protocol):
    """What is asked of a pipeline's lane."""

    @property
    def name(self) -> str:
        """The pipeline's name."""

    @property
    def state(self) -> State:
        """Where the lane stands."""

    @property
    def ready(self) -> Ready | None:
        """What the newest worker said of the model that serves."""

    @property
    def fault(self) -> Fault | None:
        """The last fault of a worker."""

    @property
    def run(self) -> Life | None:
        """The life of the worker that there is now."""

    @property
    def restarts(self) -> int:
        """How often a worker died."""

    @property
    def problem(self) -> str:
        """Why the last one of these died."""

    def serve(self, model: str, digest: str) -> None:
        """Say what later starts run; "" for nothing."""

    def swap(self, model: str, digest: str, token: int) -> bool:
        """Ask the worker to swap its model between two frames; whether there is one that could be asked."""

    def settle(self) -> None:
        """Have the worker let go of the model that is resident and does not serve."""

    def start(self, now: float) -> None:
        """Start the worker."""

    def restart(self, now: float) -> None:
        """Have a new worker, with what ``serve`` has named."""

    def take_replies(self) -> list[Swapped | Unswapped]:
        """Give the answers to swaps since the last call."""
