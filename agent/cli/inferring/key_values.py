"""What the command line says as KIND:KEY=VALUE,...: plugins with their options, and how input is prepared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from agent import plugins
from agent.config.pipelines import Plugin, Stage
from agent.config.preparing import pre_of
from agent.errors import InputRejected
from agent.validation import first_problem, tables

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMPOUND = ("[", "{", '"', "'")
_MOST_COMMAS = 1000
_MOST_STAGES = 8
_NUMBERS = frozenset(("mean", "std"))


def pairs(text: str, what: str, page: str) -> tuple[str, dict[str, Any]]:
    """Read ``KIND`` or ``KIND:KEY=VALUE,...``.

    Args:
        text: as it stands on the command line.
        what: the option, for errors.
        page: of the documentation that lists the keys.

    Raises:
        InputRejected: it does not read.
    """
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


def options_of(text: str, option: str) -> dict[str, Any]:
    """Give the options that are named: ``KEY=VALUE,...``; "" for none.

    Raises:
        InputRejected: it does not read.
    """
    return pairs(f"{option.lstrip('-')}:{text}", option, "docs/configuration.md")[1] if text else {}


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
        kind, options = pairs(text, f"--{room.removesuffix('s')}", "docs/configuration.md")
        plugins.load(room, kind)
        found.append(Plugin.model_validate({**options, "kind": kind}))
    return tuple(found)


def stages_of(texts: Sequence[str]) -> tuple[Stage, ...]:
    """Give the further models that are named: each ``NAME:model=FILE,KEY=VALUE,...``.

    Raises:
        InputRejected: one does not read, a key is unknown or wrong, two have one name, or there are too many.
    """
    found: list[Stage] = []
    for text in texts:
        name, options = pairs(text, "--stage", "docs/configuration.md")
        if name in [one.name for one in found] or len(found) == _MOST_STAGES:
            problem = f"there are {_MOST_STAGES} at most, each with a name of its own"
            raise InputRejected("read", f"--stage {text}", problem, "Leave it out, or call it otherwise")
        try:
            found.append(Stage.model_validate({**options, "name": name}))
        except ValidationError as error:
            hint = "Write NAME:model=FILE,KEY=VALUE,...; docs/configuration.md has pipelines.stages"
            raise InputRejected("read", f"--stage {text}", first_problem(error), hint) from error
    return tuple(found)


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


def pre_told(text: str, features: dict[str, Any]) -> dict[str, Any]:
    """Give the whole ``pre``: the features, and what ``KEY=VALUE,...`` says beside them; "" for nothing.

    Raises:
        InputRejected: a key is unknown or wrong, or does not go with the features.
    """
    if not text:
        return features
    page = "docs/howto/ship-a-model.md"
    _, told = pairs(f"pre:{text}", "--pre", page)
    for key in _NUMBERS & told.keys():
        if isinstance(told[key], int | float):
            told[key] = [told[key]]
    return _readable({**features, **told}, f"--pre {text}", page)


def features_of(text: str) -> dict[str, Any]:
    """Give the ``pre`` with the features that are named: ``KIND`` or ``KIND:KEY=VALUE,...``; "" for none.

    Raises:
        InputRejected: there is no such kind, or a key is unknown or wrong.
    """
    if not text:
        return {}
    kind, options = pairs(text, "--features", "docs/features.md")
    return _readable({"features": {"kind": kind, **options}}, f"--features {text}", "docs/features.md")


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


def _readable(pre: dict[str, Any], what: str, page: str) -> dict[str, Any]:
    try:
        pre_of(pre)
    except ValueError as error:
        hint = f"{page} lists what there is"
        raise InputRejected("read", what, str(error), hint) from error
    return pre


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
        return tables(f"value = {text}")["value"]
    except ValueError:
        return None
