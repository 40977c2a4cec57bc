"""pip: each release in a virtual environment of its own; a link says which one runs.

/opt/edge-agent         -> edge-agent-1.4.0     what the unit runs
/opt/edge-agent-proven  -> edge-agent-1.3.2     what the helper runs: the last release that gave its word
/opt/edge-agent-1.3.2      a virtual environment
/opt/edge-agent-1.4.0      another
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import Rejected
from agent.files import sync_folder
from agent.host.links import lead, proven
from agent.host.programs import INSTALL_S, OPEN, run

if TYPE_CHECKING:
    from agent.host.deputies import Deputies
    from agent.host.settings import Update

_MADE = ".made-by-edge-agent-host"
"""Stands in each environment that the helper has made: only those are deleted."""
_QUIET = ("--no-input", "--no-cache-dir", "--disable-pip-version-check", "--quiet")


class Pip:
    """Virtual environments beside the place that the unit runs from."""

    beside = True

    def __init__(self, update: Update, deputies: Deputies) -> None:
        self._update = update
        self._deputies = deputies
        self._place = Path(update.place)
        self._proven = proven(self._place)

    def current(self) -> str:
        """Give the version that the place's link leads to.

        Raises:
            Rejected: it is no such link.
        """
        return self._version(self._place)

    def fetch(self, version: str) -> None:
        """Make its environment anew.

        Raises:
            Rejected: something else has its name, or pip could not install it.
        """
        folder = self._beside(version)
        if folder.exists() and any(folder.iterdir()) and not (folder / _MADE).exists():
            raise Rejected("install", str(folder), "it is there, and not of this program", "Move it away")
        if version in {self.current(), self._version(self._proven) if self._proven.is_symlink() else ""}:
            raise Rejected("install", version, "it is in use")
        wheels = self._wheels(version)
        self._make(folder)
        given = self._update.installer
        run(
            [sys.executable, "-m", "venv", *(["--without-pip"] if given else []), str(folder)],
            INSTALL_S,
            umask=OPEN,
        )
        python = str(folder / "bin" / "python")
        pip = [*given, "--python", python] if given else [python, "-I", "-m", "pip"]
        # Nothing of these wheels has run yet, and nothing of them runs here.
        run([*pip, "--isolated", "install", *_QUIET, "--no-index", *wheels], INSTALL_S, umask=OPEN)
        if not self._update.wheels:
            self._deputies.clear()
        sync_folder(folder.parent)

    def program(self, version: str) -> str:
        """Give the program in its environment."""
        return str(self._beside(version) / "bin" / "edge-agent")

    def switch(self, version: str) -> None:
        """Have the place's link lead there.

        Raises:
            Rejected: there is no such environment, or the disk refuses.
        """
        lead(self._place, self._beside(version))

    def keep(self, version: str, before: str) -> None:
        """Have the helper run from it, too, and delete environments that it has made and nobody needs."""
        lead(self._proven, self._beside(version))
        for folder in self._place.parent.glob(f"{self._place.name}-*"):
            kept = {self._beside(version), self._beside(before)}
            if not folder.is_symlink() and folder not in kept and (folder / _MADE).exists():
                self._remove(folder)

    def says(self, version: str) -> str:
        """Give the same: a wheel's version is the agent's own."""
        return version

    def forget(self, version: str) -> None:
        """Delete what was fetched, and the environment, if it is of this program and nothing leads there."""
        folder = self._beside(version)
        used = {link.resolve() for link in (self._place, self._proven)}
        if folder.resolve() not in used and (folder / _MADE).exists():
            self._remove(folder)
        if not self._update.wheels:
            self._deputies.clear()

    def _remove(self, folder: Path) -> None:
        """Delete an environment; one that is cut off leaves nothing that looks like another program's."""
        old = self._place.with_name(f".{self._place.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        try:
            folder.rename(old)
        except OSError:
            old = folder
        shutil.rmtree(old, ignore_errors=True)

    def _make(self, folder: Path) -> None:
        """Make an environment's folder anew, with the mark that this program has made it."""
        if folder.exists():
            self._remove(folder)
        try:
            folder.mkdir()
            folder.chmod(0o755)
            (folder / _MADE).touch()
        except OSError as error:
            raise Rejected("install", str(folder), error.strerror or "the disk refuses") from error

    def _wheels(self, version: str) -> list[str]:
        """Give what pip is to install, and from where."""
        if self._update.wheels:
            return ["--find-links", self._update.wheels, *self._wanted(version)]
        # Each by its name, and nothing that they ask for: a wheel can name the folder of a source, whose code
        # pip would run to build it, `--only-binary` or not.
        return ["--no-deps", *map(str, sorted(self._download(version).iterdir()))]

    def _download(self, version: str) -> Path:
        """Have somebody without rights download it, and all that it needs."""
        pip = self._update.installer or (sys.executable, "-I", "-m", "pip")
        to = ("--dest", str(self._deputies.wheels), "--index-url", self._update.index)
        return self._deputies.fetch([*pip, "--isolated", "download", *_QUIET, *to, *self._wanted(version)])

    def _wanted(self, version: str) -> tuple[str, ...]:
        # Wheels alone: an sdist would run its own code before anything is proven.
        return "--only-binary", ":all:", f"{self._update.package}=={version}"

    def _beside(self, version: str) -> Path:
        return self._place.with_name(f"{self._place.name}-{version}")

    def _version(self, link: Path) -> str:
        start = f"{self._place.name}-"
        if not link.is_symlink() or not (target := link.readlink().name).startswith(start):
            problem = f"it is no link to {start}VERSION"
            raise Rejected("update", str(link), problem, "See docs/operations.md, The machine")
        return target.removeprefix(start)
