"""Whether this device has what a bundle requires, before anything large is fetched."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent import __version__
from agent.errors import BundleRefused

if TYPE_CHECKING:
    from agent.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Machine:
    """What this device is.

    Attributes:
        agent: the agent's version.
        arch: as ``uname -m`` gives it.
        ram: bytes of memory.
        disk: bytes of the disk that holds the data folder.
    """

    agent: str
    arch: str
    ram: int
    disk: int


def this_machine(disk: int) -> Machine:
    """Look at this device, whose data folder lies on a disk of so many bytes."""
    ram = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(__version__, platform.machine(), ram, disk)


def check(manifest: Manifest, machine: Machine) -> None:
    """Refuse what this device cannot run.

    Raises:
        BundleRefused: with the rule "requires".
    """
    wants = manifest.requires
    ram, disk = machine.ram >> 20, machine.disk >> 20
    if _numbers(machine.agent) < _numbers(wants.agent):
        hint = "Update the agent, or deploy another model"
        raise _refused(manifest, f"agent {wants.agent} is required, and this is {machine.agent}", hint)
    if wants.arch and machine.arch not in wants.arch:
        raise _refused(manifest, f"it is for {', '.join(wants.arch)}, and this is {machine.arch}")
    if ram < wants.ram_mb:
        raise _refused(manifest, f"{wants.ram_mb} MB of memory are required, and there are {ram}")
    if disk < wants.disk_mb:
        raise _refused(manifest, f"{wants.disk_mb} MB of disk are required, and there are {disk}")


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(one) for one in found[0].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _refused(manifest: Manifest, problem: str, hint: str = "Deploy another model") -> BundleRefused:
    subject = f"{manifest.name}@{manifest.version}"
    return BundleRefused("take model", subject, f"requires: {problem}", hint, rule="requires")
