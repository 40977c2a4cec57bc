"""What packages are made for: a Debian release on a machine, and what that means to pip and dpkg."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MACHINES = {"arm64": "aarch64", "amd64": "x86_64"}
"""Debian's names for machines, and Python's."""
DEBIANS = {"3.11": "deb12", "3.13": "deb13"}
"""The Debian releases by their Python."""
GLIBC = (2, 36)
"""Debian 12's; 13 has 2.41."""
_TAG = re.compile(r"manylinux_(\d+)_(\d+)_|(manylinux2014)_")


@dataclass(frozen=True, slots=True)
class Target:
    """A machine with a Debian release.

    Attributes:
        arch: the machine, as Debian says: arm64 or amd64.
        python: its Python, major and minor version.
    """

    arch: str
    python: str

    @property
    def name(self) -> str:
        """A name for files."""
        return f"{DEBIANS[self.python]}-{self.arch}"

    @property
    def revision(self) -> str:
        """What follows the hyphen of the package's version: a newer Debian's sorts above an older one's."""
        return f"1+{DEBIANS[self.python]}"

    @property
    def pip(self) -> list[str]:
        """Options of pip for wheels that run there, whatever machine it runs on itself."""
        machine = MACHINES[self.arch]
        tags = [f"manylinux_{GLIBC[0]}_{minor}_{machine}" for minor in range(GLIBC[1], 16, -1)]
        tags.append(f"manylinux2014_{machine}")
        chosen = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", self.python]
        return [*chosen, *(word for tag in tags for word in ("--platform", tag))]

    @property
    def markers(self) -> dict[str, str]:
        """What markers of requirements are asked about."""
        return markers(MACHINES[self.arch], self.python)


def markers(machine: str, python: str) -> dict[str, str]:
    """Give what markers of requirements are asked about, as PEP 508 names it.

    Args:
        machine: as Python names it.
        python: major and minor version.
    """
    return {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }


def targets(arches: Iterable[str], pythons: Iterable[str]) -> list[Target]:
    """Give the combinations of these; all where none are named."""
    return [Target(*pair) for pair in product(arches or MACHINES, pythons or DEBIANS)]


def glibc(wheels: Iterable[str]) -> str:
    """Give the least release of glibc that wheels of these file names need (PEP 600), such as "2.28".

    A wheel that names several needs the oldest of them only.
    """
    needed = (2, 17)
    for wheel in wheels:
        named = [(int(m[1]), int(m[2])) if m[1] else (2, 17) for m in _TAG.finditer(wheel)]
        needed = max(needed, min(named, default=needed))
    return f"{needed[0]}.{needed[1]}"
