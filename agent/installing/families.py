"""Families of hardware: each is a drop-in of the agent's unit, with what it lets the service open.

docs/hardware.md has the table, with where the names of nodes and groups come from. Cameras are in the unit;
what is read in /sys alone (hwmon, Industrial I/O without a buffer) needs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from agent.boards.profiles import Profile


@dataclass(frozen=True, slots=True)
class Family:
    """One family of hardware.

    Attributes:
        name: one word that people know it by.
        nodes: patterns of what is there, below "/", where such a device is.
        delegates: kinds of delegates that need it.
    """

    name: str
    nodes: tuple[str, ...] = ()
    delegates: tuple[str, ...] = ()

    @property
    def drop_in(self) -> str:
        """The file of the folder of units."""
        return f"edge-agent-{self.name}.conf"


FAMILIES = (
    Family("serial", ("/dev/ttyUSB*", "/dev/ttyACM*")),
    Family("can", ("/sys/class/net/can*", "/sys/class/net/vcan*")),
    Family("audio", ("/dev/snd/pcmC*D*c",)),
    Family("iio", ("/dev/iio:device*",)),
    Family("rpicam", ("/dev/v4l-subdev*",)),
    Family("edge-tpu", ("/dev/apex_*",), ("edgetpu",)),
    Family(
        "gpu", ("/dev/mali0", "/dev/kgsl-3d0", "/dev/nvmap", "/dev/nvhost-*", "/dev/dri*"), ("gpu", "armnn")
    ),
    Family("npu", ("/dev/ethosu*", "/dev/galcore", "/dev/accel*"), ("ethosu", "vx")),
)
BY_NAME = {one.name: one for one in FAMILIES}
_IN_THE_UNIT = ("/dev/video*", "/dev/media*")


def wanted(profile: Profile | None, sources: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Give the families that a board's accelerators and a configuration's sources need; and further nodes.

    Args:
        profile: the board's; None where it is not known.
        sources: the options of each source, with its ``kind``.

    Returns:
        Names of families, in the order of ``FAMILIES``; device nodes of the profile that no family has.
    """
    found = {name for one in sources if (name := _of_source(one))}
    others = []
    if profile is not None:
        kinds = {one.kind for one in profile.delegates}
        found |= {one.name for one in FAMILIES if kinds & {*one.delegates}}
        own = [node for one in profile.delegates for node in _nodes(one.options.get("devices"))]
        for node in dict.fromkeys((*profile.devices, *own)):
            family = _of_node(node)
            if family:
                found.add(family)
            elif not any(fnmatchcase(node, pattern) for pattern in _IN_THE_UNIT):
                others.append(node)
    return [one.name for one in FAMILIES if one.name in found], others


def present(root: Path) -> list[str]:
    """Give the families of which a device is there now; ``root`` stands for "/"."""
    return [one.name for one in FAMILIES if any(_there(root, pattern) for pattern in one.nodes)]


def _there(root: Path, pattern: str) -> bool:
    return next(root.glob(pattern.lstrip("/")), None) is not None


def _nodes(listed: object) -> list[str]:
    """Give the device nodes of an external delegate's options."""
    return [str(one) for one in listed] if isinstance(listed, list | tuple) else []


def _of_node(node: str) -> str:
    return next((one.name for one in FAMILIES for pattern in one.nodes if fnmatchcase(node, pattern)), "")


def _of_source(options: Mapping[str, Any]) -> str:
    """Give the family that a source needs; "" for none."""
    needs = _SOURCES.get(str(options.get("kind", "")))
    return needs(options) if needs else ""


def _modbus(options: Mapping[str, Any]) -> str:
    return "serial" if options.get("device") else ""


def _can(options: Mapping[str, Any]) -> str:
    return "serial" if str(options.get("channel", "")).startswith("/") else "can"


def _iio(options: Mapping[str, Any]) -> str:
    return "iio" if options.get("buffered") else ""


_SOURCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "serial": lambda _: "serial",
    "modbus": _modbus,
    "can": _can,
    "microphone": lambda _: "audio",
    "iio": _iio,
    "rpicam": lambda _: "rpicam",
}


def drop_ins(names: Iterable[str]) -> Iterator[str]:
    """Give the file of each family."""
    return (BY_NAME[name].drop_in for name in names)
