"""What a contract is made of: checks, each with a name and a sentence, and what they are tried with."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agent import plugins
from agent.contracts.examples import OWN
from agent.errors import AgentError
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_THEIRS = (
    *(ArithmeticError, AssertionError, AttributeError, BufferError, ImportError, LookupError, MemoryError),
    *(NameError, OSError, RuntimeError, SyntaxError, TypeError, ValueError, SystemExit),
)
"""What somebody's code may raise and go on; of anything else its process ends."""
_MOST = 500
"""Characters of a reason."""


class Breach(Exception):
    """A plugin does not keep to its contract; the text tells its author how."""


class Tensors(BaseModel):
    """The tensors of a model: element type and shape of each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    outputs: tuple[tuple[str, tuple[int, ...]], ...]


class Example(BaseModel):
    """What a plugin can be tried with: an element of ``EXAMPLES`` in its module."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    options: dict[str, Any] = Field(default_factory=dict)
    """Its options; all that have no default must be here."""
    outputs: tuple[tuple[int, ...], ...] = Field(default=(), max_length=16)
    """Of a decoder: the shapes of a model's outputs that fit it."""
    inputs: tuple[tuple[int, ...], ...] = Field(default=(), max_length=16)
    """Of a decoder that compares the two: the shapes of that model's inputs."""
    model: Tensors | None = None
    """Of a decoder that is given what several runs have made: what the model itself has."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The plugin that is checked.

    Attributes:
        room: which kind of plugin it is.
        name: what the configuration calls it.
    """

    room: str
    name: str

    @property
    def module(self) -> ModuleType:
        """Its module, imported.

        Raises:
            ConfigInvalid: there is none, or it lacks a part.
        """
        return plugins.load(self.room, self.name)

    def examples(self) -> tuple[Example, ...]:
        """What it says that it can be tried with; else its defaults.

        Raises:
            Breach: its ``EXAMPLES`` are none.
        """
        given = getattr(self.module, "EXAMPLES", OWN.get((self.room, self.name), ({},)))
        kind = TypeAdapter(tuple[Example, ...])
        try:
            return kind.validate_python(given)
        except ValidationError as error:
            raise Breach(f"EXAMPLES: {first_problem(error)}") from error

    def options(self, example: Example) -> BaseModel:
        """Make its options of an example.

        Raises:
            Breach: they are refused.
        """
        try:
            made: BaseModel = self.module.Options.model_validate(example.options)
        except ValidationError as error:
            hint = "give its module EXAMPLES = [{'options': {...}}] with options to try it with"
            raise Breach(f"Options refuse {example.options}: {first_problem(error)}; {hint}") from error
        return made

    def built(self, example: Example, *more: object) -> Any:
        """Build it of an example; ``more`` is what ``build`` takes besides options."""
        return self.module.build(self.options(example), *more)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a contract demands.

    Attributes:
        name: a word.
        says: what must hold, as a sentence.
        run: raises ``Breach`` where it does not.
    """

    name: str
    says: str
    run: Callable[[Subject], None]


def problem_of(check: Check, subject: Subject) -> str:
    """Run a check; say what is wrong, in a line, or ""."""
    try:
        check.run(subject)
    except Breach as breach:
        return str(breach)[:_MOST]
    except AgentError as error:
        return f"{type(error).__name__}: {error}"[:_MOST]
    except _THEIRS as error:
        return f"{type(error).__name__}: {error}, {_where(error)}".replace("\n", " ")[:_MOST]
    return ""


def _where(error: BaseException) -> str:
    """Give file and line of where an exception was raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"at {Path(place.filename).name}:{place.lineno}"
