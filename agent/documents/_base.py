"""What all documents have in common: strict, frozen, and read from untrusted bytes in one way."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import MessageInvalid
from agent.validation import first_problem

Place = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""A fleet, a device or a pipeline."""
Words = Annotated[str, Field(max_length=500)]


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
