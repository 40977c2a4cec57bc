"""Packages of this checkout and of a release before it; kept in build."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from tests.system.building import BUILT, REPOSITORY, alone

if TYPE_CHECKING:
    from pathlib import Path

KEPT = BUILT / "debs"
OLD_COMMIT = "2c108d30562a"
"""The last one whose data folder has version 4."""
OLD_LOCK = "4374badd3d6f"
"""The first one with a lock: what that release wanted of others."""
OLD_FOLDER = 4


@dataclass(frozen=True)
class Deb:
    """A package that was built."""

    path: Path

    @property
    def version(self) -> str:
        return self.path.name.split("_")[1]


def new(arch: str = "") -> Deb:
    """This checkout's, under a version newer than the other's; for this machine when none is named."""
    return _built("new", arch, ["--version-suffix", ".post1"], [REPOSITORY / "agent", REPOSITORY / "systemd"])


def old() -> Deb:
    """The older release's, packed by the same rules; skips where the clone is too shallow to have it."""
    git = ["git", "-C", str(REPOSITORY)]
    found = subprocess.run([*git, "archive", OLD_COMMIT], capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"this clone does not have the commit {OLD_COMMIT}: git fetch --unshallow")
    source = KEPT / "old-source"
    with alone(source):
        if not source.exists():
            half = KEPT / "old-source.half"  # what a killed run has left
            shutil.rmtree(half, ignore_errors=True)
            with tarfile.open(fileobj=BytesIO(found.stdout)) as archive:
                archive.extractall(half, filter="data")
            show = [*git, "show", f"{OLD_LOCK}:release/requirements.txt"]
            lock = subprocess.run(show, capture_output=True, check=True).stdout
            (half / "release").mkdir()
            (half / "release" / "requirements.txt").write_bytes(lock)
            half.rename(source)
    return _built("old", "", ["--source", str(source)], [])


def _built(name: str, arch: str, options: list[str], sources: list[Path]) -> Deb:
    """Build a package, unless it is there and newer than what it is made of."""
    if not arch:
        told = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True)
        arch = told.stdout.strip()
    folder = KEPT / f"{name}-{arch}"
    inputs = [path for source in [*sources, REPOSITORY / "release"] for path in source.rglob("*.*")]
    inputs += (REPOSITORY / "release" / "deb" / "scripts").iterdir()
    newest = max(path.stat().st_mtime for path in inputs if "__pycache__" not in path.parts)
    with alone(folder):
        found = list(folder.glob("*.deb"))
        if len(found) != 1 or found[0].stat().st_mtime < newest:
            for path in found:
                path.unlink()
            command = [sys.executable, "-m", "release.packages", "--only", "deb", "--python", "3.11"]
            command += ["--json", "--arch", arch, "--compression", "zstd", "--out", str(folder), *options]
            subprocess.run(command, cwd=REPOSITORY, check=True, timeout=280, stdout=subprocess.DEVNULL)
        [made] = folder.glob("*.deb")
    return Deb(made)
