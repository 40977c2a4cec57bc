"""Reaches a camera before OpenCV does, so that each thing that can be wrong gets words of its own."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import SourceLost
from agent.sources.v4l2 import devices
from agent.sources.v4l2.naming import matching
from agent.sources.v4l2.query import ask_card, ask_formats, is_busy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.sources.v4l2.query import Format

OP = "open camera"
PREFERRED = ("YUYV", "UYVY", "NV12", "NV21", "YU12", "YV12", "BGR3", "RGB3", "MJPG", "JPEG", "GREY")
"""Formats that OpenCV turns into BGR, those first that lose nothing and cost little to turn."""
_SMOOTH = 15.0
"""Frames a second that are fast enough where none are asked for."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A camera that answers.

    Attributes:
        path: as it was asked for.
        formats: what it can give.
        buffers: its V4L2 buffer type.
    """

    path: str
    formats: tuple[Format, ...]
    buffers: int


def reach(device: str) -> Reached:
    """Ask the camera what it is.

    Args:
        device: a path, a stable name, or "" for the only camera.

    Raises:
        SourceLost: it is not there, may not be opened, or is no camera.
    """
    path = _one_of(device) if device else _only()
    try:
        Path(path).stat()  # asked first: opening what is no camera may do things, to a watchdog or a modem
        if not devices.is_video(path):
            raise SourceLost(OP, path, "it is no camera", _there())
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _refused(path, error) from error
    try:
        card = ask_card(fd)
        if not card.captures:
            raise SourceLost(OP, path, f"{card.name} gives no pictures here", _there())
        if card.raw:
            raise SourceLost(
                OP, path, f"{card.name}: {devices.LIBCAMERA}", 'Use source = { kind = "rpicam" }'
            )
        return Reached(path, ask_formats(fd, card.buffers), card.buffers)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        os.close(fd)


def why_not(reached: Reached) -> SourceLost:
    """Say why OpenCV could not open a camera that answers."""
    path, formats = reached.path, reached.formats
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return _refused(path, error)
    try:
        busy = is_busy(fd, reached.buffers)
    finally:
        os.close(fd)
    if busy:
        return _busy(path)
    if formats and not any(form.fourcc in PREFERRED for form in formats):
        problem = f"OpenCV can't read what it gives: {devices.told(formats)}"
        return SourceLost(OP, path, problem, "Use another camera")
    return SourceLost(
        OP, path, "OpenCV can't open it", "Unplug it and plug it in again; try another USB port"
    )


def best_format(formats: tuple[Format, ...], width: int, height: int, fps: float | None) -> str:
    """Choose a format for this size: the first preferred one that is fast enough, else the fastest.

    Returns:
        Its code; "" when the driver lists none of this size, and must be tried.
    """
    speeds: dict[str, float] = {}
    for form in formats:
        for sizes in form.sizes:
            if sizes.holds(width, height):
                # What a driver does not say may be fast.
                speeds[form.fourcc] = max([speeds.get(form.fourcc, 0.0), *(sizes.rates or (1000.0,))])
    fitting = [code for code in PREFERRED if code in speeds]
    enough = (fps or _SMOOTH) * 0.99  # 29.97 is 30
    fast = (code for code in fitting if speeds[code] >= enough)
    return next(fast, "") or max(fitting, key=speeds.__getitem__, default="")


def _one_of(device: str) -> str:
    """Give the path that a name means, where it means one."""
    found = matching(device)
    if len(found) > 1:
        problem = f"{len(found)} cameras are called so: {', '.join(found)}"
        raise SourceLost(OP, device, problem, _there())
    return found[0]


def _only() -> str:
    usable = [camera for camera in devices.cameras() if not camera.problem]
    if len(usable) == 1:
        return usable[0].path
    problem = f"there are {len(usable)}, and device names none" if usable else "there is none"
    raise SourceLost(OP, "(the only one)", problem, _there())


_NONE = (
    'No camera is plugged in: plug one in, or begin with source = { kind = "synthetic", scene = "shapes" }'
)


def _there() -> str:
    """Say what cameras are there: the hint of most errors."""
    known = "; ".join(_listed())
    return f"Set device to one of: {known}" if known else _NONE


def _listed() -> Iterator[str]:
    for camera in devices.cameras():
        more = f": {camera.problem}" if camera.problem else ""
        yield f"{camera.best_id} ({camera.name}{more})"


def _refused(path: str, error: OSError | ValueError) -> SourceLost:
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EBUSY:
        return _busy(path)
    if code in {errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO}:
        return SourceLost(OP, path, "it is not there", _there())
    if code in {errno.EACCES, errno.EPERM}:
        hint = "Let this user join the group video: sudo usermod -aG video USER, then log in again"
        return SourceLost(OP, path, "permission denied", hint)
    if code == errno.ENOTTY:
        return SourceLost(OP, path, "it is no camera", _there())
    words = error.strerror if isinstance(error, OSError) else "no path can be so"
    return SourceLost(OP, path, (words or str(error)).lower(), _there())


def _busy(path: str) -> SourceLost:
    who = devices.holder(path)
    if who:
        return SourceLost(OP, path, f"{who} uses it", "Stop that program; a camera serves one at a time")
    # A confined worker sees no other program's descriptors.
    hint = f"Stop that program: sudo fuser -v {path} names it; a camera serves one at a time"
    return SourceLost(OP, path, "another program uses it", hint)
