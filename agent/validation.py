"""What is wrong with a document or with options, in one line that is safe to log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from agent.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST = 200
M = TypeVar("M", bound=BaseModel)


def first_problem(error: ValidationError) -> str:
    """Say where the document's first problem is, and what; a peer's own words are escaped and cut."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))
    line = f"{where}: {first['msg']}" if where else first["msg"]
    return line.encode("unicode_escape").decode("ascii")[:_MOST]


def nul(value: Any, loc: tuple[str | int, ...] = ()) -> tuple[str | int, ...]:
    """Give the path of the first text that holds a NUL character, or (); it can name nothing."""
    if isinstance(value, str) and "\0" in value:
        return loc
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return next((found for key, one in inside if (found := nul(one, (*loc, key)))), ())


def options(model: type[M], given: Mapping[str, object], *where: str) -> M:
    """Check a plugin's options.

    Args:
        model: what they must be.
        given: what the configuration or a manifest says.
        where: the keys that lead to them.

    Raises:
        ConfigInvalid: one is wrong; ``loc`` is the key's path, ``where`` included.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        loc = (*where, *first["loc"])
        raise ConfigInvalid("read", ".".join(map(str, loc)), first["msg"], loc=loc) from error
