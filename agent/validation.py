"""What is wrong with a document or with options, in one line that is safe to log."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from agent.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MOST = 200
_DEEPEST = 64
"""Tables and arrays in one another. Of the dots in a key TOML takes any number, and then we would recurse."""
UNKNOWN = "there is no such key"
_PLAIN = {"Extra inputs are not permitted": UNKNOWN, "Field required": "this key is missing"}
M = TypeVar("M", bound=BaseModel)


def first_problem(error: ValidationError) -> str:
    """Say where the document's first problem is, and what; a peer's own words are escaped and cut."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))
    line = f"{where}: {first['msg']}" if where else first["msg"]
    return line.encode("unicode_escape").decode("ascii")[:_MOST]


def plain(message: str) -> str:
    """Say what pydantic says of a key in the words of whoever wrote it."""
    message = message.removeprefix("Value error, ").replace("a valid tuple", "a list")
    return _PLAIN.get(
        message, message.replace("Tuple should", "A list should").replace(" after validation", "")
    )


def tables(text: str) -> dict[str, Any]:
    """Read a TOML text.

    Raises:
        ValueError: it is none, holds a number of thousands of digits, or is nested too deep.
    """
    try:
        whole = tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    level: list[Any] = [whole]
    for _ in range(_DEEPEST):
        level = [inner for one in level if isinstance(one, dict | list) for inner in _inside(one)]
    if level:
        raise ValueError("it is nested too deep")
    return whole


def _inside(one: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return one.values() if isinstance(one, dict) else one


def nul(value: Any, loc: tuple[str | int, ...] = ()) -> tuple[str | int, ...]:
    """Give the path of the first text that holds a NUL character, or (); it can name nothing."""
    if isinstance(value, str) and "\0" in value:
        return loc
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return next((found for key, one in inside if (found := nul(one, (*loc, key)))), ())


def options(model: type[M], given: Mapping[str, object], *where: str | int) -> M:
    """Check a plugin's options.

    Args:
        model: what they must be.
        given: what the configuration or a manifest says.
        where: the keys, and indices of arrays, that lead to them.

    Raises:
        ConfigInvalid: one is wrong; ``loc`` is the key's path, ``where`` included.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        loc = (*where, *first["loc"])
        problem = plain(first["msg"])
        hint = _hint(model, problem, str(first["loc"][0])) if len(first["loc"]) == 1 else ""
        raise ConfigInvalid("read", ".".join(map(str, loc)), problem, hint, loc=loc) from error


def _hint(model: type[BaseModel], problem: str, key: str) -> str:
    """Say what an option that is unknown could be, or what a missing one is; "" of any other problem."""
    if problem == UNKNOWN:
        return f"The keys are {', '.join(sorted(model.model_fields))}"
    field = model.model_fields.get(key)
    if problem != _PLAIN["Field required"] or field is None or not field.description:
        return ""
    return f"Give {key}: {' '.join(field.description.split()).rstrip('.')}"
