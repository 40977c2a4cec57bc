"""What the command line names as input: files, one video, one camera, or any source with its options."""

from __future__ import annotations

import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from agent import plugins
from agent.errors import InputRejected
from agent.pipelines import Plugin, Stage
from agent.preparing import pre_of
from agent.sources.pictures.listing import list_files
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

_VIDEOS = frozenset((".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".webm"))
_DEVICES = ("/dev/video", "/dev/v4l/")
_ADDRESSES = ("rtsp://", "http://", "https://")
_COMPOUND = ("[", "{", '"', "'")
_MOST_COMMAS = 1000
_NUMBERS = frozenset(("mean", "std"))
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


def features_of(text: str) -> dict[str, Any]:
    """Give the ``pre`` with the features that are named: ``KIND`` or ``KIND:KEY=VALUE,...``; "" for none.

    Raises:
        InputRejected: there is no such kind, or a key is unknown or wrong.
    """
    if not text:
        return {}
    kind, options = _pairs(text, "--features", "docs/features.md")
    return _readable({"features": {"kind": kind, **options}}, f"--features {text}", "docs/features.md")


def pre_told(text: str, features: dict[str, Any]) -> dict[str, Any]:
    """Give the whole ``pre``: the features, and what ``KEY=VALUE,...`` says beside them; "" for nothing.

    Raises:
        InputRejected: a key is unknown or wrong, or does not go with the features.
    """
    if not text:
        return features
    page = "docs/howto/ship-a-model.md"
    _, told = _pairs(f"pre:{text}", "--pre", page)
    for key in _NUMBERS & told.keys():
        if isinstance(told[key], int | float):
            told[key] = [told[key]]
    return _readable({**features, **told}, f"--pre {text}", page)


def _readable(pre: dict[str, Any], what: str, page: str) -> dict[str, Any]:
    try:
        pre_of(pre)
    except ValueError as error:
        hint = f"{page} lists what there is"
        raise InputRejected("read", what, str(error), hint) from error
    return pre


def plugins_of(texts: Sequence[str], room: str) -> tuple[Plugin, ...]:
    """Give the gates or filters that are named: each ``KIND`` or ``KIND:KEY=VALUE,...``.

    Args:
        texts: as they stand on the command line, in their order.
        room: "gates" or "filters".

    Raises:
        InputRejected: one does not read.
        ConfigInvalid: there is no such kind.
    """
    found = []
    for text in texts:
        kind, options = _pairs(text, f"--{room.removesuffix('s')}", "docs/configuration.md")
        plugins.load(room, kind)
        found.append(Plugin.model_validate({**options, "kind": kind}))
    return tuple(found)


def stages_of(texts: Sequence[str]) -> tuple[Stage, ...]:
    """Give the further models that are named: each ``NAME:model=FILE,KEY=VALUE,...``.

    Raises:
        InputRejected: one does not read, or a key is unknown or wrong.
    """
    found = []
    for text in texts:
        name, options = _pairs(text, "--stage", "docs/configuration.md")
        try:
            found.append(Stage.model_validate({**options, "name": name}))
        except ValidationError as error:
            hint = "Write NAME:model=FILE,KEY=VALUE,...; docs/configuration.md has pipelines.stages"
            raise InputRejected("read", f"--stage {text}", first_problem(error), hint) from error
    return tuple(found)


def options_of(text: str, option: str) -> dict[str, Any]:
    """Give the options that are named: ``KEY=VALUE,...``; "" for none.

    Raises:
        InputRejected: it does not read.
    """
    return _pairs(f"{option.lstrip('-')}:{text}", option, "docs/configuration.md")[1] if text else {}


def pre_for(model: str, features: str, pre: str = "") -> dict[str, Any]:
    """Give the ``pre`` that ``--features`` and ``--pre`` tell for a model.

    Raises:
        InputRejected: it does not read, or the model is a bundle, which says it already.
    """
    told = pre_told(pre, features_of(features))
    if told and Path(model).suffix != ".tflite" and not Path(model).is_file():
        problem = f"{model} is a bundle, whose manifest says what it takes"
        option = "--pre" if pre else "--features"
        raise InputRejected("read", option, problem, "Leave it out, or name a .tflite file")
    return told


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
    if text.startswith(_ADDRESSES):
        return _camera_at(text)
    kind, options = _pairs(text, "source", "docs/configuration.md")
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


def _pairs(text: str, what: str, page: str) -> tuple[str, dict[str, Any]]:
    """Read ``KIND`` or ``KIND:KEY=VALUE,...``."""
    speakable(text)
    kind, _, rest = text.partition(":")
    options = {}
    pieces = rest.split(",") if rest else []
    while pieces:
        pair = pieces.pop(0)
        key, equals, value = pair.partition("=")
        if not equals or not key:
            hint = f"Write KIND:KEY=VALUE,KEY=VALUE, and quote a text with a comma; {page} lists the keys"
            raise InputRejected("read", f"{what} {text}", f"{pair!r} is no KEY=VALUE", hint)
        options[key], used = _value(value, pieces)
        del pieces[:used]
    return kind, options


def _value(text: str, more: Sequence[str] = ()) -> tuple[Any, int]:
    """Read a number, boolean, quoted text, list or table as TOML does; anything else is text as it stands.

    Args:
        text: up to the next comma.
        more: what stands behind it, from comma to comma.

    Returns:
        The value, and how many of ``more`` it goes on over.
    """
    most = min(len(more), _MOST_COMMAS) if text.startswith(_COMPOUND) else 0
    for used in range(most + 1):
        value = _toml(",".join((text, *more[:used])))
        if value is not None:
            return value, used
    return text, 0


def _toml(text: str) -> Any:
    """Read a value of TOML; None when it is none."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return None
