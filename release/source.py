"""A checkout that a release is made of: what it says of itself, and the tools that make something of it."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from agent.errors import AgentError

HERE = Path(__file__).resolve().parents[1]
CACHE = HERE / "build" / "release"
_EPOCH = 1_577_836_800
"""2020-01-01: for a checkout that git knows nothing of."""


class ReleaseFailed(AgentError):
    """Something of a release could not be made."""


@dataclass(frozen=True, slots=True)
class Source:
    """A checkout.

    Attributes:
        root: its folder.
        suffix: what its version gets at the end, such as ".post1": a release for tests of upgrades.
    """

    root: Path
    suffix: str = ""

    @property
    def version(self) -> str:
        """The release's version (PEP 440)."""
        return f"{self._literal('agent/__init__.py', '__version__')}{self.suffix}"

    @property
    def data_folder(self) -> int:
        """The version of the data folder that the release writes."""
        return int(self._literal("agent/store/forms.py", "VERSION"))

    @property
    def lock(self) -> Path:
        """Which releases of others it takes: a file with hashes."""
        return self.root / "release" / "requirements.txt"

    @property
    def epoch(self) -> int:
        """SOURCE_DATE_EPOCH, else when the checkout's last commit was made: seconds since 1970."""
        if given := os.environ.get("SOURCE_DATE_EPOCH"):
            return int(given)
        command = ["git", "-C", str(self.root), "log", "-1", "--format=%ct", "--", "."]
        try:
            told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        except FileNotFoundError:
            told = ""
        return int(told) if told.isdigit() else _EPOCH

    def _literal(self, module: str, name: str) -> str:
        path = self.root / module
        try:
            tree = ast.parse(path.read_text())
        except (OSError, SyntaxError) as error:
            raise ReleaseFailed("read release", str(path), str(error), "Name a checkout") from error
        for line in tree.body:
            targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
            if any(isinstance(one, ast.Name) and one.id == name for one in targets):
                return str(ast.literal_eval(line.value))  # type: ignore[attr-defined]
        raise ReleaseFailed("read release", str(path), f"it sets no {name}")


def debian_version(version: str, revision: str) -> str:
    """Write a version as Debian does: what comes before a release sorts below it.

    Args:
        version: as PEP 440 has it, such as "1.4.0rc1".
        revision: what follows the hyphen, such as "1+deb12".
    """
    upstream = re.sub(r"[._-]?(dev|a|b|rc)(?=\d)", r"~\1", version)
    return f"{upstream}-{revision}"


def tool(name: str, package: str) -> str:
    """Find a program, of this environment or of the PATH.

    Raises:
        ReleaseFailed: it is not there.
    """
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    found = shutil.which(name, path=places)
    if found is None:
        raise ReleaseFailed("run", name, "it is not installed", f"Run: {package}")
    return found


def run(command: list[str], what: str, epoch: int) -> str:
    """Run a program that makes something; give what it says.

    Args:
        command: its words.
        what: what it makes, for errors.
        epoch: the time that files get which it makes, seconds since 1970.

    Raises:
        ReleaseFailed: it ended with an error; what it said comes with it.
    """
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "PIP_ROOT_USER_ACTION": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise ReleaseFailed("make", what, f"{Path(command[0]).name} failed", said[-2000:])
    return done.stdout
