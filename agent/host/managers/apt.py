"""apt: releases as Debian packages, out of the sources that this machine has; one is installed at a time.

    /opt/edge-agent         the package's environment: what the unit runs
    /opt/edge-agent-before  during an update, a copy of it as it was
    /opt/edge-agent-proven  what the helper runs: a link to one or the other

The copy has the same files by other names (link(2)): dpkg puts new files in place by rename(2), and so
leaves those of the copy as they are.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import Rejected
from agent.host.links import lead, proven
from agent.host.programs import INSTALL_S, OPEN, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.host.settings import Update

_INSTALL = (
    "apt-get", "install", "--yes", "--allow-downgrades", "--no-remove",
    "-o", "Dpkg::Options::=--force-confold",
)  # fmt: skip
"""Configuration files stay as they are; nothing is removed for it."""
_LOCK = re.compile(r"\block\b")
"""dpkg's and apt's words where another has it, on the last line."""
_PATIENCE_S, _PAUSE_S = 300.0, 5.0
"""The agent stands still meanwhile."""
_OF = ".version"
"""Stands in the copy, and says which release it is of."""


class Apt:
    """One package of that name."""

    beside = False

    def __init__(self, update: Update) -> None:
        self._package = update.package
        self._place = Path(update.place)
        self._copy = self._place.with_name(f"{self._place.name}-before")

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
        self._stand_aside()
        run(["apt-get", "update"], INSTALL_S)
        ways = ("--download-only", "--reinstall")
        for one in (self.current(), version):
            run([*_INSTALL, *ways, f"{self._package}={one}"], INSTALL_S)

    def program(self, version: str) -> str:
        """Give the program that is installed, whichever version that is."""
        del version
        return str(self._place / "bin" / "edge-agent")

    def switch(self, version: str) -> None:
        """Install it; finish first what was cut off. The way back ends the use of the copy."""
        _patiently(["dpkg", "--configure", "--pending"])
        _patiently([*_INSTALL, f"{self._package}={version}"])
        of = self._copy / _OF
        if of.exists() and of.read_text() != version:
            lead(proven(self._place), self._copy)  # the package may have the link, too
        else:
            self._come_back()

    def keep(self, version: str, before: str) -> None:
        """Have the helper run from what is installed again. apt's cache is apt's to clean."""
        del version, before
        self._come_back()

    def forget(self, version: str) -> None:
        """Leave it: dpkg has taken its files away, and apt's cache is apt's to clean."""

    def _come_back(self) -> None:
        lead(proven(self._place), self._place)
        shutil.rmtree(self._copy, ignore_errors=True)

    def _stand_aside(self) -> None:
        """Have the helper run from a copy: a package that does not work cannot take itself back."""
        self._come_back()  # one that was cut off has left a copy
        try:
            shutil.copytree(self._place, self._copy, symlinks=True, copy_function=os.link)
            (self._copy / _OF).write_text(self.current())
        except (OSError, shutil.Error) as error:
            raise Rejected("copy", str(self._place), str(error)[:200]) from error
        lead(proven(self._place), self._copy)

    def says(self, version: str) -> str:
        """Give the version without Debian's epoch and revision."""
        return version.rpartition(":")[2].rpartition("-")[0] or version.rpartition(":")[2]


def _patiently(command: Sequence[str]) -> None:
    """Run what needs dpkg's lock: the system's own upgrades may hold it for minutes.

    Raises:
        Rejected: it fails, or another holds the lock for too long.
    """
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            run(command, INSTALL_S, umask=OPEN)
            break
        except Rejected as error:
            if not _LOCK.search(error.problem) or time.monotonic() >= until:
                raise
            time.sleep(_PAUSE_S)
