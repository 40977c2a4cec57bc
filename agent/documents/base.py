"""What all documents have in common: strict, frozen, and read from untrusted bytes in one way."""

from __future__ import annotations

import math
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from agent.errors import MessageInvalid
from agent.validation import first_problem

Place = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""A fleet, a device or a pipeline."""
Words = Annotated[str, Field(max_length=500)]
_DEEPEST = 32


def _plain(value: Any) -> Any:
    """See that every reader and writer of JSON can hold a value (RFC 8259, sections 6 and 9).

    Raises:
        ValueError: it is nested too deep, or has a number that many cannot hold.
    """
    level = [value]
    for _ in range(_DEEPEST):
        within: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                within += one.values()
            elif isinstance(one, list | tuple):
                within += one
            elif isinstance(one, int) and not -(1 << 63) <= one < 1 << 64:
                raise ValueError("a number has more than 64 bits")
            elif isinstance(one, float) and not math.isfinite(one):
                raise ValueError("a number is not finite")
        if not within:
            return value
        level = within
    raise ValueError(f"it is nested deeper than {_DEEPEST}")


Free = Annotated[Any, AfterValidator(_plain)]
"""A value of which only its reader knows the form: within what JSON's readers have in common."""


class Document(BaseModel):
    """A document, or a part of one."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


D = TypeVar("D", bound=Document)


def parse(kind: type[D], data: bytes, what: str) -> D:
    """Read a document of this kind as a person may write it, without its version, ``v``.

    Raises:
        MessageInvalid: it is none.
    """
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise MessageInvalid("read", what, first_problem(error)) from error


def read(kind: type[D], data: bytes, what: str) -> D:
    """Read a document of this kind as one of our programs sends it.

    Raises:
        MessageInvalid: it is none, or does not say its version.
    """
    document = parse(kind, data, what)
    if "v" not in document.model_fields_set:
        raise MessageInvalid("read", what, "v: it does not say which version of the document it is")
    return document
