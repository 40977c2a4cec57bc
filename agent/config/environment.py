"""Settings that come from environment variables, laid over those of the configuration file; pure.

``EDGE_AGENT__MQTT__HOST=broker.example`` sets ``mqtt.host``: names are read without regard to case. A table
or an array is given as JSON; keys of a table go over its JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import orjson
from pydantic import BaseModel

from agent.config.errors import ENV_PREFIX, HINT
from agent.errors import ConfigInvalid
from agent.validation import nul

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SEVERAL = (tuple, list, dict, set, frozenset)


def laid_over(
    tables: Mapping[str, Any], model: type[BaseModel], environment: Mapping[str, str]
) -> dict[str, Any]:
    """Lay what the environment sets over the parsed file.

    Args:
        tables: the file's; they are not changed.
        model: what they are read as; variables of no key of it are left out.
        environment: the variables.

    Raises:
        ConfigInvalid: a table or an array is no JSON, or holds a NUL character; a text is no UTF-8.
    """
    found: dict[str, Any] = {}
    given = [(path(name), name, value) for name, value in environment.items() if is_ours(name)]
    for keys, name, value in sorted(given, key=lambda one: len(one[0])):  # a table comes before its keys
        if keys[0] in model.model_fields:
            _put(found, keys, _read(name, value) if _is_json(model, keys) else _text(name, value))
    return _merged(tables, found)


def is_ours(name: str) -> bool:
    """Whether a variable is a setting of the agent."""
    return name.upper().startswith(ENV_PREFIX)


def path(name: str) -> tuple[str, ...]:
    """Give the keys that a variable's name leads through."""
    return tuple(name[len(ENV_PREFIX) :].lower().split("__"))


def _put(tables: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    *tables_on_the_way, last = keys
    for key in tables_on_the_way:
        inner = tables.get(key)
        if not isinstance(inner, dict):
            inner = tables[key] = {}
        tables = inner
    tables[last] = value


def _merged(below: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in over.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def _text(name: str, value: str) -> str:
    try:
        (name + value).encode()
    except UnicodeEncodeError as error:
        raise ConfigInvalid("", f"environment {name}", "no UTF-8 text", HINT) from error
    return value


def _read(name: str, value: str) -> Any:
    try:
        found = orjson.loads(value)
        holds_nul = bool(nul(found))
    except (orjson.JSONDecodeError, RecursionError) as error:  # no setting is hundreds of arrays deep
        raise ConfigInvalid("", f"environment {name}", "no valid JSON", HINT) from error
    if holds_nul:
        raise ConfigInvalid("", f"environment {name}", "a text with a NUL character can name nothing", HINT)
    return found


def _is_json(model: type[BaseModel], keys: tuple[str, ...]) -> bool:
    """Whether these keys lead to a table or an array; one that nobody knows is a text."""
    inside: type[BaseModel] | None = model
    annotation: Any = None
    for key in keys:
        field = inside.model_fields.get(key) if inside else None
        if field is None:
            return False
        annotation = field.annotation
        inside = next((one for one in _parts(annotation) if _is_table(one)), None)
    return any(_is_table(one) or (get_origin(one) or one) in _SEVERAL for one in _parts(annotation))


def _parts(annotation: Any) -> Iterable[Any]:
    """Give the alternatives of a union, without their notes."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    origin = get_origin(annotation)
    if origin is None or origin in _SEVERAL or not isinstance(annotation, type(int | None)):
        return (annotation,)
    return [part for one in get_args(annotation) for part in _parts(one)]


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
