"""What a result passes between its decoder and the socket: further models, filters, pictures of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.pipeline.slot import Item
    from agent.screening import Filter
    from agent.types import Result


@dataclass(frozen=True, slots=True)
class Held:
    """A result that goes no further.

    Attributes:
        by: the filter's kind, under which its frame is counted.
    """

    by: str


class Step(Protocol):
    """One thing that is done with each result, in the infer thread."""

    @property
    def reason(self) -> str:
        """The account of frames that it rejects."""

    def __call__(self, item: Item, result: Result, /) -> Result | Held:
        """Give the result that goes on, or say that none does.

        Raises:
            InputRejected: the frame fails.
        """


class Filtering:
    """The filters of a pipeline, in order.

    Args:
        filters: each with its kind.
    """

    reason = "filter"

    def __init__(self, filters: Sequence[tuple[str, Filter]]) -> None:
        self._filters = filters

    def __call__(self, item: Item, result: Result) -> Result | Held:
        """Give what the last one gives."""
        for kind, one in self._filters:
            passed = one.apply(result, item.info)
            if passed is None:
                return Held(kind)
            result = passed
        return result
