"""Makes samples of messages: a number, numbers in JSON, or a text that fits a pattern. No I/O."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_BYTES = 65536
_MAX_TEXT = 4096
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_SHOWN = 60


class Number:
    """The whole message is one number."""

    channels = 1

    def read(self, payload: bytes) -> tuple[float, ...] | str:
        """Give the sample in a message, or what is wrong with it."""
        try:
            return (float(payload[:_MAX_TEXT]),)
        except ValueError:
            return f"a message is no number: {_shown(payload)}"


class Json:
    """Numbers at places in a JSON document.

    Args:
        pointers: where (RFC 6901), such as /accel/x or /values/0; "" is the whole document.
    """

    def __init__(self, pointers: Sequence[str]) -> None:
        self._pointers = [(one, tokens(one)) for one in pointers]
        self.channels = len(pointers)

    def read(self, payload: bytes) -> tuple[float, ...] | str:
        """Give the sample in a message, or what is wrong with it."""
        try:
            document = json.loads(payload)
        except (ValueError, RecursionError):
            return f"a message is no JSON: {_shown(payload)}"
        values = []
        for pointer, path in self._pointers:
            found = _at(document, path)
            if isinstance(found, bool) or not isinstance(found, int | float):
                return f"a message has no number at {pointer!r}: {_shown(payload)}"
            values.append(_float(found))
        return tuple(values)


class Text:
    """A text that fits a pattern as a whole; each named group is a channel."""

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern)
        self.channels = len(self._pattern.groupindex)

    def read(self, payload: bytes) -> tuple[float, ...] | str:
        """Give the sample in a message, or what is wrong with it."""
        fit = self._pattern.fullmatch(payload[:_MAX_TEXT].decode(errors="replace").strip())
        if fit is None:
            return f"a message does not fit the pattern: {_shown(payload)}"
        try:
            return tuple(float(fit[name]) for name in self._pattern.groupindex)
        except (TypeError, ValueError):  # a group that took no part is None
            return f"a message holds no number where one is named: {_shown(payload)}"


def tokens(pointer: str) -> tuple[str, ...]:
    """Take a JSON pointer apart.

    Raises:
        ValueError: it is none.
    """
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is no JSON pointer: it begins with /")
    if re.search(r"~(?![01])", pointer):
        raise ValueError(f"{pointer!r} is no JSON pointer: write ~0 for ~, and ~1 for /")
    return tuple(one.replace("~1", "/").replace("~0", "~") for one in pointer.split("/")[1:])


def _at(document: Any, path: Sequence[str]) -> Any:
    for token in path:
        if isinstance(document, dict):
            document = document.get(token)
        elif isinstance(document, list) and _INDEX.fullmatch(token) and int(token) < len(document):
            document = document[int(token)]
        else:
            return None
    return document


def _float(number: float) -> float:
    """Give an int as a float; one beyond all floats is infinite, which no window takes."""
    try:
        return float(number)
    except OverflowError:
        return float("inf")


def _shown(payload: bytes) -> str:
    return repr(payload[:_SHOWN].decode(errors="replace"))
