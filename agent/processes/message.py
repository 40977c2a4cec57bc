"""What messages between our processes are made of: texts and numbers within bounds, and errors of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent import errors
from agent.errors import AgentError, BundleRefused, MessageInvalid
from agent.validation import first_problem

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Count = Annotated[int, Field(ge=0, lt=1 << 53)]
"""What every reader of JSON can hold."""
Word = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=4000)]
T = TypeVar("T")
_MOST = 2000
"""Characters of each text of an error: all of them fit a packet, however they are escaped."""


class Message(BaseModel):
    """A message, or a part of one."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Flat(Message):
    """An error of ours, flattened to texts; messages that tell of one are of this kind."""

    error: Word
    """Its class."""
    op: Text
    subject: Text
    problem: Text
    hint: Text = ""
    rule: Word = ""
    """For BundleRefused: the rule."""


def read(kinds: TypeAdapter[T], packet: bytes, whose: str) -> T:
    """Read a packet.

    Args:
        kinds: the messages that it may hold.
        packet: its bytes.
        whose: what an error calls it.

    Raises:
        MessageInvalid: it is none of these.
    """
    try:
        return kinds.validate_json(packet)
    except ValidationError as error:
        raise MessageInvalid("read packet", whose, first_problem(error)) from error


def flattened(error: AgentError) -> dict[str, str]:
    """Give the fields of ``Flat`` for an error."""
    return {
        "error": type(error).__name__,
        "op": error.op[:_MOST],
        "subject": error.subject[:_MOST],
        "problem": error.problem[:_MOST],
        "hint": error.hint[:_MOST],
        "rule": error.rule if isinstance(error, BundleRefused) else "",
    }


def error_of(said: Flat) -> AgentError:
    """Make the error again, of its own class where that is one of ours."""
    texts = (said.op, said.subject, said.problem, said.hint)
    if said.error == BundleRefused.__name__:
        return BundleRefused(*texts, rule=said.rule)
    kind = getattr(errors, said.error, AgentError)
    if not (isinstance(kind, type) and issubclass(kind, AgentError)):
        kind = AgentError
    return kind(*texts)
