"""What installing the service means on a machine: files, links and commands. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import AgentError
from agent.installing.families import drop_ins

if TYPE_CHECKING:
    from collections.abc import Mapping

UNIT = "edge-agent.service"
UNITS = "/etc/systemd/system"
DROP_INS = f"{UNITS}/{UNIT}.d"
PACKAGED = f"/usr/lib/systemd/system/{UNIT}"
"""Where a package of the distribution has the unit; all but drop-ins is then the package's."""
CONFIG = "/etc/edge-agent/agent.toml"
LINK = "/usr/local/bin/edge-agent"
CATALOG = "/usr/local/lib/systemd/catalog/edge-agent.catalog"
"""systemd looks for none in /etc."""
UPDATE_CATALOG = ("journalctl", "--update-catalog")
BOARD = "edge-agent-board.conf"
ALIKE = ("edge-agent-try.service",)
"""Units of the helper that open what the agent does, and so get the same drop-ins."""
_NODE = re.compile(r"(/dev)(/(?!\.\.?(/|$))[A-Za-z0-9_.:@+-]+)+")
"""No end of a line, no space, no specifier: systemd reads the drop-in, and a profile may be a stranger's."""
_DEFAULT = "/opt/edge-agent"
_WANTED = f"{UNITS}/multi-user.target.wants/{UNIT}"
_PLACES = {
    UNIT: f"{UNITS}/{UNIT}",
    "edge-agent.sysusers.conf": "/etc/sysusers.d/edge-agent.conf",
    "edge-agent.tmpfiles.conf": "/etc/tmpfiles.d/edge-agent.conf",
    "70-edge-agent.rules": "/etc/udev/rules.d/70-edge-agent.rules",
    "edge-agent.catalog": CATALOG,
}
"""Where each file of the folder of units goes."""
_RULES = "edge-agent.conf"
"""What systemd-sysusers and systemd-tmpfiles find by itself in their folders, those of an image, too."""
_SUBSYSTEMS = ("usb", "apex", "dma_heap", "iio", "ethosu", "accel", "kgsl", "misc")
RULED = tuple(f"--subsystem-match={name}" for name in _SUBSYSTEMS)
"""Whose nodes get their group anew: of no others, as their devices are in use."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to be there.

    Attributes:
        path: on the machine that it is for.
        content: all of it.
        mode: its permissions.
        once: it is for whoever looks after the machine: one that is there stays, and only purging takes it.
    """

    path: str
    content: bytes
    mode: int = 0o644
    once: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link to be there; one to elsewhere stays."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command to be run.

    Attributes:
        argv: all of it.
        if_changed: it is left out where nothing was written.
    """

    argv: tuple[str, ...]
    if_changed: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be done, in this order."""

    files: tuple[File, ...]
    links: tuple[Link, ...]
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Spec:
    """What is to be installed.

    Attributes:
        folder: the environment, as the machine will see it.
        hardware: families of hardware.
        nodes: further device nodes that the board's accelerators have.
        service_mb: the most memory that the service may have, in units of 2^20 bytes; 0 for the unit's own.
        configuration: files that are written once, by path: the first configuration, its schema.
        packaged: whether a package of the distribution has brought the units.
        image: the folder of an image that is being built; "" for the running machine.
        start: whether the service is started, too.
        udev: whether udev runs here.
    """

    folder: str
    hardware: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    service_mb: int = 0
    configuration: tuple[tuple[str, bytes], ...] = ()
    packaged: bool = False
    image: str = ""
    start: bool = True
    udev: bool = True


def plan(spec: Spec, shipped: Mapping[str, bytes]) -> Plan:
    """Say what is to be done.

    Args:
        spec: what is wanted.
        shipped: the content of the files of the folder of units, by name.
    """
    files = []
    if not spec.packaged:
        files += [File(place, _moved(shipped[name], spec.folder)) for name, place in _PLACES.items()]
    rights = {name: shipped[name] for name in drop_ins(spec.hardware)}
    if board := board_drop_in(spec.service_mb, spec.nodes):
        rights[BOARD] = board
    for unit in (UNIT, *(unit for unit in ALIKE if unit in shipped)):
        files += [File(f"{UNITS}/{unit}.d/{name}", content) for name, content in rights.items()]
    files += [File(path, content, once=True) for path, content in spec.configuration]
    return Plan(tuple(files), tuple(_links(spec)), tuple(_commands(spec)))


def board_drop_in(service_mb: int, nodes: tuple[str, ...]) -> bytes:
    """Give the drop-in of what the board's profile says; nothing where it says nothing.

    Raises:
        AgentError: a node's name would say something else in a unit.
    """
    if odd := next((node for node in nodes if not _NODE.fullmatch(node)), ""):
        hint = "Correct `devices` of the board's profile: it takes paths such as /dev/apex_0"
        raise AgentError("install", ascii(odd[:100]), "it can be no device node", hint)
    lines = [
        "# What the board's device profile says of edge-agent.service; `edge-agent install` wrote it.",
        "",
        "[Service]",
    ]
    if service_mb:
        lines.append(f"MemoryMax={service_mb}M")
    lines += [f"DeviceAllow={node} rw" for node in nodes]
    return ("\n".join(lines) + "\n").encode() if len(lines) > 3 else b""


def _moved(content: bytes, folder: str) -> bytes:
    """Have a unit run another environment than that of /opt/edge-agent."""
    return (
        content
        if folder == _DEFAULT
        else content.replace(f"{_DEFAULT}/bin/".encode(), f"{folder}/bin/".encode())
    )


def _links(spec: Spec) -> list[Link]:
    if spec.packaged:
        return []
    program = f"{spec.folder}/bin/edge-agent"
    links = [Link(LINK, program)] if program != LINK else []
    if spec.image:
        links.append(Link(_WANTED, f"{UNITS}/{UNIT}"))  # what `systemctl enable` makes
    return links


def _commands(spec: Spec) -> list[Command]:
    if spec.image:  # its folders are made when it boots
        there = f"--root={spec.image}"
        made = (("systemd-sysusers", there, _RULES), (*UPDATE_CATALOG, there))
        return [] if spec.packaged else [Command(one) for one in made]
    commands = []
    if not spec.packaged:
        commands.append(Command(("systemd-sysusers", _RULES)))
        commands.append(Command(("systemd-tmpfiles", "--create", _RULES)))
        commands.append(Command(UPDATE_CATALOG, if_changed=True))
        if spec.udev:
            commands.append(Command(("udevadm", "control", "--reload"), if_changed=True))
            commands.append(Command(("udevadm", "trigger", *RULED), if_changed=True))
            commands.append(Command(("udevadm", "settle", "--timeout=30"), if_changed=True))
    commands.append(Command(("systemctl", "daemon-reload"), if_changed=True))
    if spec.start:
        commands.append(Command(("systemctl", "try-restart", UNIT), if_changed=True))
        commands.append(Command(("systemctl", "enable", "--now", UNIT)))
    else:
        commands.append(Command(("systemctl", "enable", UNIT)))
    return commands
