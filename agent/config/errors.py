"""Words errors of the configuration: where the wrong key stands, its path, and what is wrong with it."""

from __future__ import annotations

import os

import orjson

from agent.config import toml_lines
from agent.errors import ConfigInvalid
from agent.validation import plain

ENV_PREFIX = "EDGE_AGENT__"
HINT = "See docs/configuration.md"

Loc = tuple[str | int, ...]
"""The path of a key, as pydantic gives it: names of tables and keys, and indices."""


def problem(text: str, filename: str, loc: Loc, message: str, hint: str = "") -> ConfigInvalid:
    """Make the error for one wrong key: where it stands, its path, and what is wrong with it."""
    key = ".".join(part if part.isprintable() else repr(part) for part in map(str, loc)) or "(file)"
    if variable := _variable(loc):
        where = f"environment {variable}"
    else:
        line = toml_lines.find(text, loc)
        where = f"{filename}:{line}" if line else filename
    return ConfigInvalid("", f"{where}: {key}", plain(message), hint or HINT, loc=loc)


def _variable(loc: Loc) -> str:
    """Give the environment's variable that sets ``loc``, or holds it in its JSON; "" when none does."""
    given = {name.upper(): name for name in os.environ}
    for length in range(len(loc), 0, -1):
        name = given.get((ENV_PREFIX + "__".join(map(str, loc[:length]))).upper())
        if name and (length == len(loc) or _holds(os.environ[name], loc[length])):
            return name
    return ""


def _holds(value: str, key: str | int) -> bool:
    try:
        whole = orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return key in range(len(whole)) if isinstance(whole, list) else isinstance(whole, dict) and key in whole
