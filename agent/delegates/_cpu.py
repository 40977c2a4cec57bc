"""What the CPU's own two ways share: there is nothing to find, to open or to reset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from agent.boards.delegation import Presence
from agent.types import Needs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Options(BaseModel):
    """None: threads and kernels are the pipeline's `backend`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Cpu:
    """Implements ``Delegate`` for what every runtime has in itself.

    Attributes:
        words: what it is, in a few words.
        variant: "", the model that any CPU runs.
    """

    words: str
    variant: str = ""

    def probe(self) -> Presence:
        """It is always there; whether it takes a model's operators is counted when that is loaded."""
        return Presence(there=True, why=self.words)

    def needs(self) -> Needs:
        """Give nothing."""
        return Needs()

    def open(self, load: Callable[[str, Mapping[str, str]], object]) -> None:
        """Open nothing: the runtime's interpreter takes no delegate."""

    def describe(self) -> str:
        """Say what it is."""
        return self.words

    def reset(self) -> bool:
        """Do nothing."""
        return False
