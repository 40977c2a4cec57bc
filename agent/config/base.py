"""What tables of the file have in common: workers load no more of them than what concerns a pipeline."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$",
        description="Lower-case letters, digits, '-' and '_'; at most 63.",
    ),
]

EventName = Annotated[str, Field(max_length=100, pattern=r"^(\*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*)$")]
"""What filters call an event: words with dots between, as `line.crossed`; or `*`."""


class Table(BaseModel):
    """A table of the file: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
