"""What the command line names as input: files, one video, one camera, or any source with its options."""

from __future__ import annotations

import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import plugins
from agent.errors import InputRejected
from agent.preparing import pre_of
from agent.sources.pictures.listing import list_files

if TYPE_CHECKING:
    from collections.abc import Sequence

_VIDEOS = frozenset((".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".webm"))
_DEVICES = ("/dev/video", "/dev/v4l/")


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
        inputs: paths: files, folders and patterns, or one video file, or one camera's device; or "-".
        source: ``KIND`` or ``KIND:KEY=VALUE,...``; "" for none.

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
    if list(inputs) == ["-"]:
        return Inputs("stdin", {})
    if len(inputs) == 1 and _is_device(inputs[0]):
        return Inputs("camera", {"device": inputs[0]})
    if len(inputs) == 1 and Path(inputs[0]).suffix.lower() in _VIDEOS:
        return Inputs("video", {"path": inputs[0]})
    files = list_files(inputs)
    for name in files:
        speakable(name)
    return Inputs("images", {"paths": files}, files)


def features_of(text: str) -> dict[str, Any]:
    """Give the ``pre`` with the features that are named: ``KIND`` or ``KIND:KEY=VALUE,...``; "" for none.

    Raises:
        InputRejected: there is no such kind, or a key is unknown or wrong.
    """
    if not text:
        return {}
    kind, options = _pairs(text, "--features")
    pre = {"features": {"kind": kind, **options}}
    try:
        pre_of(pre)
    except ValueError as error:
        hint = "docs/features.md lists kinds and keys"
        raise InputRejected("read", f"--features {text}", str(error), hint) from error
    return pre


def speakable(name: str) -> None:
    """Refuse a name that JSON cannot carry.

    Raises:
        InputRejected: it is not UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = name.encode("utf-8", "backslashreplace").decode()
        raise InputRejected("infer", shown, "its name is not UTF-8", "Rename it") from error


def _is_device(name: str) -> bool:
    if name.startswith(_DEVICES):  # also one that is not plugged in: the source knows what to say
        return True
    try:
        return stat.S_ISCHR(Path(name).stat().st_mode)
    except (OSError, ValueError):
        return False


def _source(text: str) -> Inputs:
    kind, options = _pairs(text, "--source")
    plugins.load("sources", kind)
    return Inputs(kind, options)


def _pairs(text: str, flag: str) -> tuple[str, dict[str, Any]]:
    """Read ``KIND`` or ``KIND:KEY=VALUE,...``."""
    speakable(text)
    kind, _, rest = text.partition(":")
    options = {}
    for pair in rest.split(",") if rest else ():
        key, equals, value = pair.partition("=")
        if not equals or not key:
            page = "docs/configuration.md" if flag == "--source" else "docs/features.md"
            hint = f"Write {flag} KIND:KEY=VALUE,KEY=VALUE; {page} lists the keys"
            raise InputRejected("read", f"{flag} {text}", f"{pair!r} is no KEY=VALUE", hint)
        options[key] = _value(value)
    return kind, options


def _value(text: str) -> Any:
    """Read a number, boolean or quoted text as TOML does; anything else is text as it stands."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text
