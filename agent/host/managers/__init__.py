"""Package managers that can install a release of the agent, and take it back: a module each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agent.host.managers.apt import Apt
from agent.host.managers.pip import Pip

if TYPE_CHECKING:
    from agent.host.deputies import Deputies
    from agent.host.settings import Update


class Manager(Protocol):
    """What an update needs of a package manager.

    Each method can be done again after it was cut off. All raise ``Rejected`` where it fails.

    Attributes:
        beside: whether the new release stands beside the one that runs before it takes its place.
    """

    beside: bool

    def current(self) -> str:
        """Give the version that is in its place."""

    def fetch(self, version: str) -> None:
        """Bring a version here, and have the current one at hand for the way back. What runs is untouched."""

    def program(self, version: str) -> str:
        """Give the path of a version's ``edge-agent``; without ``beside``, that in its place."""

    def switch(self, version: str) -> None:
        """Put a version that was fetched, or was there before, into its place."""

    def keep(self, version: str, before: str) -> None:
        """The version is proven: keep it and the one before, and let go of others."""

    def forget(self, version: str) -> None:
        """Let go of a version that did not come to stay. What runs is untouched."""

    def says(self, version: str) -> str:
        """What the agent of this version calls itself."""


def manager_of(update: Update, deputies: Deputies) -> Manager:
    """Give the one that is configured."""
    return Pip(update, deputies) if update.manager == "pip" else Apt(update)
