"""Finds the cameras of this machine, and the one that a configuration means."""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from agent.sources.v4l2.query import Format, ask_card, ask_formats, printable

MAX_DEVICES = 64
"""How many video nodes are looked at; the kernel has 256 numbers for them."""
_MAJOR = 81
_DEV = Path("/dev")
STABLE = (Path("/dev/v4l/by-id"), Path("/dev/v4l/by-path"))
_NODE = re.compile(r"video(\d+)")
_NO_CAMERAS = {"bcm2835-isp"}
"""Drivers whose nodes capture from memory: the Raspberry Pi's image processor."""
LIBCAMERA = "its picture must be set up by libcamera"


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that is plugged in.

    Attributes:
        path: such as ``/dev/video0``; it may change when devices are plugged in and out.
        name: what its maker calls it.
        driver: the kernel's driver, "" when it could not be asked.
        bus: where it is plugged in, "" when it could not be asked.
        ids: its stable names, links in /dev/v4l: by what it is, then by where it is plugged in.
        formats: what it can give.
        problem: why it cannot be used, or "".
    """

    path: str
    name: str
    driver: str = ""
    bus: str = ""
    ids: tuple[str, ...] = ()
    formats: tuple[Format, ...] = ()
    problem: str = ""

    @property
    def best_id(self) -> str:
        """The name to configure it by: one that stays, where it has one."""
        return self.ids[0].rpartition("/")[2] if self.ids else self.path


def cameras() -> list[Camera]:
    """List the cameras in the order of their numbers; one that cannot be asked is listed with its problem."""
    links = _links()
    found = (_camera(path, tuple(links.get(path, ()))) for path in video_nodes())
    return [camera for camera in found if camera is not None]


def holder(path: str) -> str:
    """Name a process that has the device open, such as ``ffmpeg (pid 812)``; "" when /proc shows none."""
    real = os.path.realpath(path)
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid() and _has_open(process, real):
            try:
                name = printable((process / "comm").read_bytes())
            except OSError:
                name = "a process"
            return f"{name} (pid {process.name})"
    return ""


def refusal_hint(camera: Camera) -> str:
    """Say what to do about a camera that cannot be used; "" for one that can, or where nothing helps."""
    if camera.problem == os.strerror(errno.EACCES).lower():
        return "Let this user join the group video: sudo usermod -aG video USER, then log in again"
    if camera.problem == os.strerror(errno.EBUSY).lower():
        return f"Stop the program that has it: sudo fuser -v {camera.path} names it"
    return ""


def told(formats: tuple[Format, ...], most: int = 300) -> str:
    """Say in one line what a camera can give, in at most so many characters."""
    text = "; ".join(map(str, formats)) or "what it can give it does not say"
    return text if len(text) <= most else f"{text[: most - 4].rpartition(',')[0]}, ..."


def video_nodes() -> list[str]:
    """Give the paths of the video nodes, by number."""
    try:
        numbers = sorted(int(m[1]) for entry in _DEV.iterdir() if (m := _NODE.fullmatch(entry.name)))
    except OSError:
        return []
    paths = [str(_DEV / f"video{number}") for number in numbers[:MAX_DEVICES]]
    return [path for path in paths if is_video(path)]


def is_video(path: str) -> bool:
    """Whether a node of the kernel's video devices is there."""
    try:
        status = os.stat(path)  # noqa: PTH116 - the same words as fstat elsewhere
    except (OSError, ValueError):
        return False
    return stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) == _MAJOR


def _camera(path: str, ids: tuple[str, ...]) -> Camera | None:
    """Ask one node; None when it is no camera, such as a camera's node for metadata."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return Camera(path, name_of(path), ids=ids, problem=(error.strerror or str(error)).lower())
    try:
        card = ask_card(fd)
        if not card.captures or card.driver in _NO_CAMERAS:
            return None
        formats = ask_formats(fd, card.buffers)
    except OSError as error:
        return Camera(path, name_of(path), ids=ids, problem=(error.strerror or str(error)).lower())
    finally:
        os.close(fd)
    problem = LIBCAMERA if card.raw else ""
    return Camera(path, card.name, card.driver, card.bus, ids, formats, problem)


def name_of(path: str) -> str:
    """Give the name that the kernel keeps beside the node, for one that cannot be opened."""
    try:
        return printable(Path("/sys/class/video4linux", Path(path).name, "name").read_bytes()[:64])
    except OSError:
        return "unknown"


def _links() -> dict[str, list[str]]:
    """Give the stable names of each node."""
    found: dict[str, list[str]] = {}
    for folder in STABLE:
        for link in _entries(folder):
            found.setdefault(os.path.realpath(link), []).append(str(link))
    return found


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())[: 4 * MAX_DEVICES]
    except OSError:
        return []


def _has_open(process: Path, real: str) -> bool:
    try:
        return any(str(fd.readlink()) == real for fd in (process / "fd").iterdir())
    except OSError:  # it has ended, or is another user's
        return False
