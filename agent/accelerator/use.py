"""A model that is loaded on an accelerator, as the infer thread is given it."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from agent.accelerator.faults import Garbage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.accelerator.remote import RemoteBackend
    from agent.types import Array

News = dict[str, Any]
"""A message for the supervisor: the fields of one of ``agent.workers.messages``."""


class Case(Protocol):
    """An input whose right answer is known."""

    @property
    def tensors(self) -> Sequence[Array]:
        """The input tensors."""

    def differs(self, outputs: Sequence[Array]) -> str:
        """Say how outputs differ from the right ones; "" when they agree."""


@dataclass(slots=True)
class Use:
    """A model that is loaded on an accelerator, and has met its answers there.

    Attributes:
        remote: the model over there.
        accelerator: its title.
        generation: of the connection.
        cases: inputs whose answers are known.
        goldens: how many of them are the bundle's own.
        recheck_s: seconds between two looks at one of the cases; 0 for never.
        leave: models that it takes the place of over there, to be let go of.
        checked_ns: when its answers were last looked at, CLOCK_MONOTONIC.
        good_ns: frames that were captured until then were inferred while its answers were right.
    """

    remote: RemoteBackend
    accelerator: str
    generation: int
    cases: Sequence[Case] = ()
    goldens: int = 0
    recheck_s: float = 0
    leave: Sequence[int] = ()
    checked_ns: int = 0
    good_ns: int = 0
    turns: deque[Case] = field(default_factory=deque)

    def news(self, type_: str, **more: object) -> News:
        """Make a message of it."""
        return {"type": type_, "accelerator": self.accelerator, "generation": self.generation, **more}

    def check(self) -> None:
        """Have it compute the next of its cases.

        Raises:
            Garbage: the answer is another one.
            AcceleratorFault: it gave none.
        """
        self.turns = self.turns or deque(self.cases)
        case = self.turns.popleft()
        if difference := case.differs(self.remote.infer(case.tensors)):
            raise Garbage("check", self.accelerator, f"a golden answer differs: {difference}")
        self.checked_ns = time.monotonic_ns()
