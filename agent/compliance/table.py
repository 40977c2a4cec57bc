"""The tables: one TOML file for each standard, a row for each of its provisions.

Numbers of provisions are the standards'; what they ask is told in our words. docs/compliance holds the pages.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

Verdict = Literal["met", "partly", "not met", "not applicable", "integrator", "operator"]
"""The last two: who builds the device, or who runs it, has to do it; the agent alone cannot."""
Line = Annotated[str, StringConstraints(pattern=r"^[^\n|]*$", max_length=600)]
"""It stands in a cell of a table."""
ORDER = ("en-303-645", "cra", "nistir-8259a", "iec-62443-4-2")
_FOLDER = Path(__file__).resolve().parent


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Provision(_Strict):
    """One provision.

    Attributes:
        id: the standard's own number.
        part: the heading that it stands under.
        asks: what it asks for, in our words.
        verdict: how far that is so.
        how: what does it; or why it does not apply.
        tests: what shows it: ``file::name`` below ``tests/``.
        pages: documents that show it, from the top of the repository.
        lacks: what is missing; "" when nothing is.
    """

    id: Line
    part: Line
    asks: Line
    verdict: Verdict
    how: Line
    tests: tuple[Line, ...] = ()
    pages: tuple[Line, ...] = ()
    lacks: Line = ""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.verdict in {"met", "partly"} and not (self.tests or self.pages):
            raise ValueError(f"{self.id}: nothing shows that it is {self.verdict}")
        if (self.verdict in {"partly", "not met"}) != bool(self.lacks):
            raise ValueError(
                f"{self.id}: what is missing and the verdict {self.verdict!r} contradict each other"
            )
        return self


class Standard(_Strict):
    """One standard.

    Attributes:
        id: the name of its file and its page.
        title: how it is cited.
        about: a paragraph: what it is, and how it is read here.
        provisions: its rows, in the standard's order.
    """

    id: Line
    title: Line
    about: str
    provisions: tuple[Provision, ...]


def standards() -> tuple[Standard, ...]:
    """Read all tables, in the order of the index."""
    return tuple(read(_FOLDER / f"{name}.toml") for name in ORDER)


def read(path: Path) -> Standard:
    """Read one table.

    Raises:
        ValueError: it is no such table.
    """
    return Standard.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
