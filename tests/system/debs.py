"""Packages of this checkout and of a release before it, and a machine without them; kept in build."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
KEPT = REPOSITORY / "build" / "debs"
ROOT = REPOSITORY / "build" / "deb-root"
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


def clean_root() -> Path:
    """A file system with nothing of the agent; made once, and again when its script is newer."""
    script = HERE / "deb_root.sh"
    if not ROOT.exists() or ROOT.stat().st_ctime < script.stat().st_mtime:
        subprocess.run([str(script), str(ROOT)], cwd=REPOSITORY, check=True, timeout=280)
    return ROOT


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
    if not source.exists():
        with tarfile.open(fileobj=BytesIO(found.stdout)) as archive:
            archive.extractall(source, filter="data")
        lock = subprocess.run(
            [*git, "show", f"{OLD_LOCK}:release/requirements.txt"], capture_output=True, check=True
        )
        (source / "release").mkdir()
        (source / "release" / "requirements.txt").write_bytes(lock.stdout)
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
    found = list(folder.glob("*.deb"))
    if len(found) != 1 or found[0].stat().st_mtime < newest:
        for path in found:
            path.unlink()
        command = [sys.executable, "-m", "release.packages", "--only", "deb", "--python", "3.11", "--json"]
        command += ["--arch", arch, "--compression", "zstd", "--out", str(folder), *options]
        subprocess.run(command, cwd=REPOSITORY, check=True, timeout=280, stdout=subprocess.DEVNULL)
    [made] = folder.glob("*.deb")
    return Deb(made)
