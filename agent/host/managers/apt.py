"""apt: releases as Debian packages, out of the sources that this machine has; one is installed at a time."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from agent.errors import Rejected
from agent.host.programs import INSTALL_S, run

if TYPE_CHECKING:
    from agent.host.settings import Update

_INSTALL = (
    "apt-get", "install", "--yes", "--allow-downgrades", "--no-remove",
    "-o", "Dpkg::Options::=--force-confold",
)  # fmt: skip
"""Configuration files stay as they are; nothing is removed for it."""


class Apt:
    """One package of that name."""

    beside = False

    def __init__(self, update: Update) -> None:
        self._package = update.package

    def current(self) -> str:
        """Give the version that dpkg knows.

        Raises:
            Rejected: there is none; so, where a program fails, for all that follows.
        """
        found = run(["dpkg-query", "--show", "--showformat=${Version}", self._package]).strip()
        if not found:
            raise Rejected("update", self._package, "it is not installed as a package")
        return found

    def fetch(self, version: str) -> None:
        """Download it, and the one that runs: the way back must need no network."""
        run(["apt-get", "update"], INSTALL_S)
        ways = ("--download-only", "--reinstall")
        for one in (self.current(), version):
            run([*_INSTALL, *ways, f"{self._package}={one}"], INSTALL_S)

    def program(self, version: str) -> str:
        """Give the program that is installed, whichever version that is."""
        del version
        return shutil.which("edge-agent") or "/usr/bin/edge-agent"

    def switch(self, version: str) -> None:
        """Install it; finish first what was cut off."""
        run(["dpkg", "--configure", "--pending"], INSTALL_S)
        run([*_INSTALL, f"{self._package}={version}"], INSTALL_S)

    def keep(self, version: str, before: str) -> None:
        """Nothing: apt's cache is apt's to clean."""

    def says(self, version: str) -> str:
        """Give the version without Debian's epoch and revision."""
        return version.rpartition(":")[2].rpartition("-")[0] or version.rpartition(":")[2]
