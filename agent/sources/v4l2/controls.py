"""A camera's controls, such as exposure and focus: listed, checked and set by ioctl.

Numbers and layouts are those of include/uapi/linux/videodev2.h; names are made as ``v4l2-ctl`` makes them.
"""

from __future__ import annotations

import fcntl
import re
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.errors import SourceLost
from agent.sources.v4l2.query import printable, request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_CONTROLS, MAX_CHOICES = 256, 64
"""How many are asked of one driver, and entries of one menu."""
_OP = "set controls"
_NEXT = 0x8000_0000
_INTEGER, _BOOLEAN, _MENU, _INTEGER_MENU = 1, 2, 3, 9
_MENUS = {_MENU, _INTEGER_MENU}
_SWITCHES = {_BOOLEAN, *_MENUS}
_DISABLED, _READ_ONLY = 0x1, 0x4
_QUERY = struct.Struct("=II32siiiiI8x")
"""v4l2_queryctrl: id type name[32] minimum maximum step default_value flags reserved[2]."""
_VALUE = struct.Struct("=Ii")
"""v4l2_control: id value."""
_ENTRY = struct.Struct("=II32s4x")
"""v4l2_querymenu: id index name[32], or an s64 in its place; reserved."""


@dataclass(frozen=True, slots=True)
class Control:
    """What can be set.

    Attributes:
        number: the driver's.
        name: such as ``exposure_time_absolute``.
        kind: V4L2_CTRL_TYPE.
        low: the least value.
        high: the greatest.
        step: between two values.
        flags: V4L2_CTRL_FLAG.
        choices: the entries of a menu, by value.
    """

    number: int
    name: str
    kind: int
    low: int
    high: int
    step: int
    flags: int
    choices: tuple[tuple[int, str], ...] = ()

    def __str__(self) -> str:
        """``brightness 0 to 255``, or ``auto_exposure 1 (Manual Mode), 3 (Aperture Priority Mode)``."""
        if self.choices:
            return f"{self.name} {', '.join(f'{value} ({text})' for value, text in self.choices)}"
        return f"{self.name} {self.low} to {self.high}" + (f" by {self.step}" if self.step > 1 else "")


def ask_controls(fd: int) -> tuple[Control, ...]:
    """List what can be set, by VIDIOC_QUERYCTRL; () where the driver has nothing."""
    return tuple(_listed(fd))


def set_controls(fd: int, path: str, wanted: Mapping[str, int | str]) -> None:
    """Set these controls: switches and menus first, as an automatic one keeps others from being set.

    Args:
        fd: of the camera.
        path: what it is called in errors.
        wanted: values by name; of a menu also the text of an entry. True is 1.

    Raises:
        SourceLost: it has no such control, the value is none of its, or the driver refuses.
    """
    if not wanted:
        return
    known = {one.name: one for one in ask_controls(fd)}
    settings = []
    for name, value in wanted.items():
        if (control := known.get(name)) is None:
            raise SourceLost(_OP, path, f"it has no control {name!r}", f"It has: {_told(known.values())}")
        settings.append((control, _number(control, value, path)))
    for control, value in sorted(settings, key=lambda one: one[0].kind not in _SWITCHES):
        _set(fd, control, value, path)


def variable(name: str) -> str:
    """Make a name of a control's title as v4l2-ctl does: ``Focus, Absolute`` is ``focus_absolute``."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _listed(fd: int) -> Iterator[Control]:
    number = 0
    for _ in range(MAX_CONTROLS):
        entry = bytearray(_QUERY.pack(number | _NEXT, 0, b"", 0, 0, 0, 0, 0))
        try:
            fcntl.ioctl(fd, request(3, 36, _QUERY.size), entry)
        except OSError:  # the end of the list, or a driver without any
            return
        last, (number, kind, title, low, high, step, _, flags) = number, _QUERY.unpack(entry)
        if number <= last:  # a driver that goes in a circle
            return
        if kind in {_INTEGER, *_SWITCHES} and not flags & (_DISABLED | _READ_ONLY):
            found = Control(number, variable(printable(title)), kind, low, high, step, flags)
            yield replace(found, choices=tuple(_choices(fd, found))) if kind in _MENUS else found


def _choices(fd: int, menu: Control) -> Iterator[tuple[int, str]]:
    for value in range(max(0, menu.low), min(menu.high, menu.low + MAX_CHOICES) + 1):
        if (text := _entry(fd, menu.number, value)) is not None:
            numeric = menu.kind == _INTEGER_MENU
            yield value, str(struct.unpack_from("=q", text)[0]) if numeric else printable(text)


def _entry(fd: int, number: int, value: int) -> bytes | None:
    """Ask VIDIOC_QUERYMENU for one entry; None for a value that this camera does not have."""
    entry = bytearray(_ENTRY.pack(number, value, b""))
    try:
        fcntl.ioctl(fd, request(3, 37, _ENTRY.size), entry)
    except OSError:
        return None
    return bytes(_ENTRY.unpack(entry)[2])


def _number(control: Control, value: int | str, path: str) -> int:
    """Give the number to set. SourceLost: it is none of the control's."""
    if isinstance(value, str):
        value = next((number for number, text in control.choices if text == value), value)
    fits = isinstance(value, int) and control.low <= value <= control.high
    if not fits or (control.choices and value not in dict(control.choices)):
        raise SourceLost(_OP, path, f"{control.name} cannot be {value!r}", f"It takes: {control}")
    return int(value)


def _set(fd: int, control: Control, value: int, path: str) -> None:
    """Set one, by VIDIOC_S_CTRL."""
    try:
        fcntl.ioctl(fd, request(3, 28, _VALUE.size), bytearray(_VALUE.pack(control.number, value)))
    except OSError as error:
        problem = f"it refuses {control.name} = {value}: {(error.strerror or str(error)).lower()}"
        hint = "Switch off what sets it automatically, such as auto_exposure, white_balance_automatic"
        raise SourceLost(_OP, path, problem, hint) from error


def _told(controls: Iterable[Control], most: int = 1000) -> str:
    """List controls in one line, in at most so many characters."""
    text = "; ".join(map(str, controls)) or "none"
    return text if len(text) <= most else f"{text[: most - 5].rpartition(';')[0]}; ..."
