"""Which releases of other packages images and .debs take, with their hashes: ``python -m release.lock``.

Each lock is a requirements file that ``pip install --require-hashes`` reads, for Linux on 64-bit ARM and
x86-64 and each Python that the agent promises. Boards with armv7l take most packages from Debian: no lock
is made for them. uv finds the releases, and keeps those that a lock has; ``--upgrade`` takes the newest.
``--check`` needs no network.

Exit code 1: a lock does not fit ``pyproject.toml``, or none could be made.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from release.source import HERE, ReleaseFailed, tool
from release.target import MACHINES, markers

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = HERE / "pyproject.toml"
PYTHONS = ("3.11", "3.12", "3.13")
ENVIRONMENTS = tuple(markers(machine, python) for machine, python in product(MACHINES.values(), PYTHONS))

RUNS_MODELS = frozenset({"ai-edge-litert", "numpy", "opencv-python-headless", "tflite-runtime"})
HELD_BACK = ("backports-strenum<1.3",)
"""uv does not look whether a release ends at an older Python (Requires-Python: <3.11); pip refuses it."""
_HASH = re.compile(r"\s--hash=sha256:[0-9a-f]{64}(?=\s|$)")
_ADDRESS = re.compile(r"\w+://|--(?:extra-)?index-url|--find-links")


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock file.

    Attributes:
        name: its file name, beside this module.
        serves: what it is for, in a line.
        wanted: what of ``pyproject.toml`` it must hold.
    """

    name: str
    serves: str
    wanted: tuple[Requirement, ...]

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(__file__).with_name(self.name)


def needed(requirement: Requirement) -> tuple[bool, ...]:
    """Say of each of ``ENVIRONMENTS`` whether the requirement holds there."""
    marker = requirement.marker
    return tuple(marker is None or marker.evaluate(dict(environment)) for environment in ENVIRONMENTS)


def locks(project: Path = PROJECT) -> tuple[Lock, ...]:
    """Read from ``pyproject.toml`` what each lock must hold; what no environment needs is left out."""
    document = tomllib.loads(project.read_text())
    agent = document["project"]["dependencies"]
    extras = document["project"]["optional-dependencies"]
    fleet, serial = extras["fleet"], extras["serial"]

    def wanted(*lines: str) -> tuple[Requirement, ...]:
        return tuple(one for one in map(Requirement, lines) if any(needed(one)))

    light = [line for line in agent if canonicalize_name(Requirement(line).name) not in RUNS_MODELS]
    return (
        Lock("requirements.txt", "The agent on a device, with serial ports.", wanted(*agent, *serial)),
        Lock("requirements-collector.txt", "edgectl collect, which runs no model.", wanted(*light, *fleet)),
        Lock(
            "requirements-build.txt",
            "Building the agent's wheel.",
            wanted(*document["build-system"]["requires"]),
        ),
    )


def complaints(lock: Lock, text: str) -> Iterator[str]:
    """Say what keeps the text from being that lock, a line each; needs no network."""
    held = []
    for line in text.replace("\\\n", " ").splitlines():
        if not line or line.startswith("#"):
            continue
        if _ADDRESS.search(line):
            yield f"names an address: {line[:80]}"
        try:
            one = Requirement(_HASH.sub("", line).strip())
        except InvalidRequirement:
            yield f"is not a name, a release and sha256 hashes: {line[:80]}"
            continue
        if [each.operator for each in one.specifier] != ["=="] or not _HASH.search(line):
            yield f"pins {one.name} to no release with a hash"
        held.append(one)
    for wanted, (place, environment) in product(lock.wanted, enumerate(ENVIRONMENTS)):
        where = f"on {environment['platform_machine']} with Python {environment['python_version']}"
        name = canonicalize_name(wanted.name)
        found = [one for one in held if canonicalize_name(one.name) == name and needed(one)[place]]
        if needed(wanted)[place] and len(found) != 1:
            yield f"holds {name} {len(found)} times {where}"
        for one in found:
            if not wanted.specifier.contains(str(one.specifier)[2:], prereleases=True):
                yield f"holds {name}{one.specifier} {where}, and {wanted.specifier} is wanted"


def compiled(lock: Lock, *, upgrade: bool) -> str:
    """Have uv find releases for all environments.

    Raises:
        ReleaseFailed: uv is not there, or found none.
    """
    uv = tool("uv", "pip install '.[dev]'")
    with tempfile.TemporaryDirectory() as folder:
        # A project of its own: uv reads there for which environments it shall resolve.
        on = "sys_platform == 'linux' and platform_machine == '{}'"
        places = [on.format(machine) for machine in MACHINES.values()]
        lines = [
            "[project]", 'name = "locked"', 'version = "0"', f'requires-python = ">={PYTHONS[0]},<3.14"',
            f"dependencies = {json.dumps([str(one) for one in lock.wanted])}",
            "[tool.uv]", f"environments = {json.dumps(places)}",
            f"constraint-dependencies = {json.dumps(HELD_BACK)}",
        ]  # fmt: skip
        Path(folder, "pyproject.toml").write_text("\n".join(lines))
        output = Path(folder, lock.name)
        if lock.path.exists():
            shutil.copy(lock.path, output)  # releases in it are kept where they fit
        options = ["--universal", "--python-version", PYTHONS[0], "--only-binary", ":all:"]
        options += [
            "--generate-hashes",
            "--no-emit-index-url",
            "--no-emit-find-links",
            "--no-annotate",
            "--no-header",
            "--quiet",
        ]
        options += ["--upgrade"] if upgrade else []
        command = [uv, "pip", "compile", *options, "--output-file", str(output), "pyproject.toml"]
        if subprocess.run(command, cwd=folder, check=False).returncode:
            raise ReleaseFailed("lock", lock.name, "uv found no releases", "See above")
        return _readable(lock, output.read_text())


def _readable(lock: Lock, text: str) -> str:
    """Leave out markers that hold wherever the lock is for."""
    machines = " and ".join(MACHINES.values())
    lines = [f"# {lock.serves} Linux on {machines}, Python {PYTHONS[0]} to {PYTHONS[-1]}."]
    lines.append("# Written by `make lock`, which says how to change it; not for armv7l.")
    for line in text.splitlines():
        pin, semicolon, marker = line.removesuffix(" \\").partition(" ; ")
        everywhere = semicolon and all(Marker(marker).evaluate(dict(one)) for one in ENVIRONMENTS)
        lines.append(f"{pin} \\" if everywhere else line)
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the locks, or check them."""
    parser = argparse.ArgumentParser(prog="release.lock", description="Which releases images and .debs take.")
    parser.add_argument("--check", action="store_true", help="only say whether they fit pyproject.toml")
    parser.add_argument("--upgrade", action="store_true", help="take the newest releases")
    args = parser.parse_args()
    wrong = False
    for lock in locks():
        if not args.check:
            try:
                lock.path.write_text(compiled(lock, upgrade=args.upgrade))
            except ReleaseFailed as error:
                print(error, file=sys.stderr)
                return error.exit_code
        text = lock.path.read_text() if lock.path.exists() else ""
        for complaint in complaints(lock, text):
            wrong = True
            print(f"release/{lock.name} {complaint}. Run: make lock", file=sys.stderr)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
