"""What the command line names as input: files, one video, one camera, or any source with its options."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import plugins
from agent.cli.inferring.key_values import pairs, speakable
from agent.errors import InputRejected
from agent.sources.pictures.listing import list_files

if TYPE_CHECKING:
    from collections.abc import Sequence

_VIDEOS = frozenset((".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".webm"))
_DEVICES = ("/dev/video", "/dev/v4l/")
_ADDRESSES = ("rtsp://", "http://", "https://")
_WINDOWS = {
    ".wav": "wav:path={},window=16000",
    ".csv": "samples:path={},rate=100,window=256",
    ".ndjson": "samples:path={},rate=100,window=256",
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where the frames come from.

    Attributes:
        source: the source's kind.
        options: its options, as the worker will validate them.
        files: the name of each frame, where frames are files.
    """

    source: str
    options: dict[str, Any]
    files: list[str] = field(default_factory=list)


def choose(inputs: Sequence[str], source: str) -> Inputs:
    """Work out what is meant.

    Args:
        inputs: paths: files, folders and patterns, or one video, recording, camera's device or address;
            or "-".
        source: ``KIND`` or ``KIND:KEY=VALUE,...``, or an address; "" for none.

    Raises:
        InputRejected: both or neither are given, a file is missing, a name is not UTF-8, or ``source`` does
            not read.
        ConfigInvalid: there is no such kind of source.
    """
    if bool(inputs) == bool(source):
        problem = "INPUT and --source are both given" if source else "there is no input"
        raise InputRejected(
            "infer", "the command line", problem, "Name files, a camera's device, or --source"
        )
    for name in inputs:
        speakable(name)
    if source:
        return _source(source)
    if len(inputs) == 1 and (one := _one(inputs[0])):
        return one
    files = list_files(inputs)
    for name in files:
        speakable(name)
    return Inputs("images", {"paths": files}, files)


def _one(name: str) -> Inputs | None:
    """Give what a name alone means; None for files and folders of pictures and arrays.

    Raises:
        InputRejected: more must be said of it.
    """
    if name == "-":
        return Inputs("stdin", {})
    if name.startswith(_ADDRESSES):
        return _camera_at(name)
    if _is_device(name):
        return Inputs("camera", {"device": name})
    suffix = Path(name).suffix.lower()
    if suffix in _VIDEOS:
        return Inputs("video", {"path": name})
    if suffix == ".tar":
        return Inputs("recording", {"path": name})
    if suffix in _WINDOWS:
        form = _WINDOWS[suffix].format(name)
        hint = f"Write {form} with numbers of your own; docs/sensors.md says what a window is"
        raise InputRejected("read", name, "it holds samples, of which a window must be made", hint)
    return None


def _is_device(name: str) -> bool:
    if name.startswith(_DEVICES):  # also one that is not plugged in: the source knows what to say
        return True
    try:
        return stat.S_ISCHR(Path(name).stat().st_mode)
    except (OSError, ValueError):
        return False


def _source(text: str) -> Inputs:
    if text.startswith(_ADDRESSES):
        return _camera_at(text)
    kind, options = pairs(text, "source", "docs/configuration.md")
    plugins.load("sources", kind)
    return Inputs(kind, options)


def _camera_at(url: str) -> Inputs:
    """Read an address: RTSP has one kind of source, HTTP two."""
    speakable(url)
    if url.startswith("rtsp://"):
        return Inputs("rtsp", {"url": url})
    shown = url.partition("?")[0].rpartition("@")[2]
    hint = "Write http_mjpeg:url=http://... for a stream, http_snapshot:url=http://... for single pictures"
    raise InputRejected("read", f"source {shown}", "an address over HTTP does not say what is there", hint)
