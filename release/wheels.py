"""The agent's wheel and sdist, and the wheels of others that a release brings along."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from release.source import CACHE, HERE, ReleaseFailed, Source, run, tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from release.target import Target

BUILD_LOCK = HERE / "release" / "requirements-build.txt"
_SHA256 = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_VERSION = re.compile(r'^__version__ = ".*"$', re.MULTILINE)


def build(source: Source, out: Path, *, only: str = "") -> list[Path]:
    """Build the sdist, and from it the wheel: what was not packed cannot be in it.

    Args:
        source: the checkout.
        out: the folder that they go to.
        only: "sdist" or "wheel"; both when left out. A version with a suffix has no sdist.

    Raises:
        ReleaseFailed: uv is missing, or hatchling fails.
    """
    out.mkdir(parents=True, exist_ok=True)
    made = []
    with tempfile.TemporaryDirectory() as scratch:
        sdist = built("--sdist", source.root, Path(scratch), source.epoch)
        if only != "wheel" and not source.suffix:
            made.append(Path(shutil.copy(sdist, out)))
        if only != "sdist":
            with _unpacked(sdist, source) as tree:
                made.append(built("--wheel", tree, out, source.epoch))
    return made


def built(kind: str, tree: Path, out: Path, epoch: int) -> Path:
    """Have hatchling build one of the two, in the release that the lock names.

    Args:
        kind: "--sdist" or "--wheel".
        tree: the checkout.
        out: the folder that it goes to.
        epoch: the time that files get, seconds since 1970.

    Raises:
        ReleaseFailed: uv is missing, or hatchling fails.
    """
    uv = tool("uv", "pip install '.[dev]'")
    index = ["--default-index", os.environ["PIP_INDEX_URL"]] if os.environ.get("PIP_INDEX_URL") else []
    pins = ["--build-constraints", str(BUILD_LOCK), "--require-hashes"]
    with tempfile.TemporaryDirectory() as scratch:
        run([uv, "build", kind, *pins, *index, "--quiet", "--out-dir", scratch, str(tree)], kind[2:], epoch)
        [made] = [path for path in Path(scratch).iterdir() if path.name[0] != "."]
        return Path(shutil.copy(made, out))


@contextmanager
def _unpacked(sdist: Path, source: Source) -> Iterator[Path]:
    """Unpack an sdist, and give its version the suffix."""
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(sdist) as archive:
            archive.extractall(scratch, filter="data")
        [tree] = Path(scratch).iterdir()
        if source.suffix:
            words = tree / "agent" / "__init__.py"
            words.write_text(_VERSION.sub(f'__version__ = "{source.version}"', words.read_text()))
            (tree / "PKG-INFO").unlink()  # hatchling would believe its version
        yield tree


def pins(target: Target, lock: Path) -> list[str]:
    """Give the lines of a lock that hold on a target, each with its hashes.

    pip would ask the markers of the machine that it runs on.

    Raises:
        ReleaseFailed: it cannot be read.
    """
    try:
        lines = lock.read_text().replace("\\\n", " ").splitlines()
    except OSError as error:
        raise ReleaseFailed(
            "read lock", str(lock), error.strerror or "unreadable", "Run: make lock"
        ) from error
    held = []
    for line in lines:
        if line and not line.startswith("#"):
            wanted, *hashes = line.split(" --hash=")
            one = Requirement(wanted.strip())
            if one.marker is None or one.marker.evaluate(dict(target.markers)):
                held.append(" --hash=".join([f"{one.name}{one.specifier}", *map(str.strip, hashes)]))
    return held


def gathered(target: Target, lock: Path) -> list[Path]:
    """Give the wheels that a target's installation takes besides ours, downloaded once for each lock.

    Raises:
        ReleaseFailed: one is not there for this target, or has another hash.
    """
    lines = pins(target, lock)
    key = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
    folder = CACHE / "wheels" / f"{target.name}-{key}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            wanted = Path(scratch, "wanted.txt")
            wanted.write_text("\n".join(lines))
            wheels = Path(scratch, "wheels")
            command = [
                sys.executable,
                "-m",
                "pip",
                "--disable-pip-version-check",
                "--no-input",
                "download",
                "--quiet",
            ]
            command += ["--no-deps", "--require-hashes", "--dest", str(wheels), "-r", str(wanted)]
            run([*command, *target.pip], f"wheels for {target.name}", 0)
            try:
                wheels.rename(folder)
            except OSError:  # somebody else has gathered the same meanwhile
                if not folder.is_dir():
                    raise
    found = sorted(folder.glob("*.whl"))
    if len(found) != len(lines):
        problem = f"{len(found)} wheels instead of {len(lines)}"
        raise ReleaseFailed("gather", str(folder), problem, "Delete the folder and try again")
    locked = set(_SHA256.findall("\n".join(lines)))
    for wheel in found:  # pip has looked when they came, which may be long ago
        if hashlib.sha256(wheel.read_bytes()).hexdigest() not in locked:
            problem = "the lock has another hash"
            raise ReleaseFailed("gather", str(wheel), problem, "Delete its folder and try again")
    return found
