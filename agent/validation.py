"""What is wrong with a peer's document, in one line that is safe to log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

_MOST = 200


def first_problem(error: ValidationError) -> str:
    """Say where the document's first problem is, and what; a peer's own words are escaped and cut."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))
    line = f"{where}: {first['msg']}" if where else first["msg"]
    return line.encode("unicode_escape").decode("ascii")[:_MOST]
