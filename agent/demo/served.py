"""Which models have answered, by the records that the collector holds, and what a change of them has cost."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Answer:
    """A record, as far as models go; ``bundle`` is "" for a model that came in none."""

    frame: int
    model: str
    bundle: str


@dataclass(frozen=True, slots=True)
class Served:
    """The models of one pipeline.

    Attributes:
        before: whose the first record is, None without records.
        after: whose the last record is.
        lost: frames without a record between the last one of another model and the first one of the model
            that serves at the end; None when nothing has changed.
        bundles: the digests of all that have answered.
    """

    before: str | None = None
    after: str | None = None
    lost: int | None = None
    bundles: frozenset[str] = frozenset()


def served(answers: Iterable[Answer]) -> Served:
    """Look at the records of a pipeline, in the order in which they were made."""
    every = list(answers)
    if not every:
        return Served()
    last = every[-1].model, every[-1].bundle
    gaps = [
        new.frame - old.frame - 1
        for old, new in pairwise(every)
        if (old.model, old.bundle) != last == (new.model, new.bundle)
    ]
    bundles = frozenset(one.bundle for one in every if one.bundle)
    return Served(every[0].model, every[-1].model, sum(gaps) if gaps else None, bundles)
