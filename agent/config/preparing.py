"""A manifest's ``pre`` where no manifest is: in a pipeline's table, or on the command line."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError

from agent.manifest import Pre
from agent.validation import first_problem


def pre_of(told: dict[str, Any]) -> Pre:
    """Read it.

    Raises:
        ValueError: a key is unknown or wrong; which, in one line.
    """
    try:
        return Pre.model_validate(told)
    except ValidationError as error:
        raise ValueError(first_problem(error)) from error


def _readable(told: dict[str, Any]) -> dict[str, Any]:
    pre_of(told)
    return told


PreTable = Annotated[dict[str, Any], AfterValidator(_readable)]
"""A ``pre`` as it is written, which ``pre_of`` reads."""
