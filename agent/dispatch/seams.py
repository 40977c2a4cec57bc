"""What the dispatch of commands needs of the rest of the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.documents.keys import ControlKeys
    from agent.documents.outcome import Attached


class Times(Protocol):
    """What proved metadata says of the time; ``agent.activation.freshness`` has it."""

    @property
    def floor_s(self) -> int:
        """It is not earlier than this, seconds since 1970."""

    def expired(self, wall_s: int) -> bool:
        """Whether the metadata no longer says who may command."""


class Authority(Protocol):
    """Who may command: ``agent.activation`` has it from the update metadata."""

    @property
    def keys(self) -> ControlKeys | None:
        """The control keys in force."""

    @property
    def freshness(self) -> Times:
        """What the metadata says of the time."""


class Shipping(Protocol):
    """Sends the files that come beside outcomes."""

    def take_in(self, command: str, files: Sequence[Path]) -> tuple[Attached, ...]:
        """Take files over, to be sent; give what the outcome says of them.

        Raises:
            AgentError: the disk refuses, or one is too large.
        """

    def again(self, command: str, files: Sequence[Attached]) -> None:
        """Send the files of this command once more; of those that are gone, that they are."""
