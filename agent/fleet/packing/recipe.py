"""What the operator writes of a model: ``m.toml``, from which ``edgectl pack`` makes the manifest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.bundles.load import read_file
from agent.config import toml_lines
from agent.errors import ConfigInvalid
from agent.manifest import Line, Name, Positive, Post, Pre, Requires, Task, Version
from agent.validation import plain, tables

if TYPE_CHECKING:
    from pathlib import Path

_MAX_BYTES = 1 << 20
_HINT = "See docs/howto/ship-a-model.md"
_Margin = Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False)]
_File = Annotated[str, Field(min_length=1, max_length=4096)]

DEFAULT_TOL = 0.05


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class GoldenRecipe(_Table):
    """An input whose answer is recorded. ``expect`` is what the answer must be; without it, what it is.

    ``keys`` and ``items`` say how much of the answer is recorded; None is what the task is known for, see
    ``words.KEPT``.
    """

    input: _File
    tol: Annotated[float, Field(gt=0, le=1)] = DEFAULT_TOL
    expect: Annotated[tuple[dict[str, Any], ...], Field(max_length=200)] | None = None
    keys: Annotated[tuple[Task, ...], Field(min_length=1, max_length=32)] | None = None
    items: Annotated[int, Field(ge=1, le=200)] | None = None


class BudgetRecipe(_Table):
    """What the model may cost: limits as they stand, or what is measured here times a margin.

    Boards are slower than the machine where models are packed, so that the margin of time is wide.
    """

    measure: bool = True
    p95_ms: Positive | None = None
    rss_mb: Positive | None = None
    p95_margin: _Margin = 10.0
    rss_margin: _Margin = 2.0


class Recipe(_Table):
    """The file. What is None may come from what is packed in the model, if something is."""

    name: Name | None = None
    version: Version | None = None
    task: Task
    license: Line | None = None
    labels: _File | None = None
    pre: Pre | None = None
    post: Post | None = None
    requires: Requires = Requires()
    budget: BudgetRecipe = BudgetRecipe()
    golden: tuple[GoldenRecipe, ...] = Field(default=(), max_length=64)


def read(path: Path) -> Recipe:
    """Read the file.

    Raises:
        ConfigInvalid: it is missing, no TOML, or a key is unknown or wrong; the line is named.
    """
    data = read_file(path, _MAX_BYTES, ConfigInvalid, "read")
    try:
        text = data.decode()
        whole = tables(text)
    except ValueError as error:
        raise ConfigInvalid("read", str(path), f"it is no TOML: {error}", _HINT) from error
    try:
        return Recipe.model_validate_json(json.dumps(whole, default=str))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        loc = first["loc"]
        line = toml_lines.find(text, loc)
        where = f"{path}:{line}" if line else str(path)
        key = ".".join(map(str, loc))
        raise ConfigInvalid("read", f"{where}: {key}", plain(first["msg"]), _HINT, loc=loc) from error
