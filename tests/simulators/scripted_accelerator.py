"""An accelerator and a twin that follow a script, and whose answers tell who has computed them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from agent.accelerator.faults import Died, Occupied, Overrun, Refused
from agent.accelerator.use import Use
from agent.types import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.accelerator.remote import RemoteBackend
    from agent.types import Array

GIVEN = [np.array([5], np.uint8)]
TWIN, THERE, WRONG = 1, 2, 3
"""Who has computed."""
ERRORS = {"overrun": Overrun, "died": Died, "refused": Refused, "occupied": Occupied}


class Twin:
    """The CPU."""

    inputs = outputs = (TensorSpec("x", "uint8", (1,)),)
    runtime, delegate, delegated = "python", "xnnpack", (1, 1)
    closed = False

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        return (np.array([tensors[0][0], TWIN]),)

    def close(self) -> None:
        self.closed = True


@dataclass
class Remote:
    """The accelerator, with its connection: does what its script says, and well when that is over."""

    script: list[str] = field(default_factory=list)
    busy: int = 0
    closed: bool = False
    dropped: list[int] = field(default_factory=list)
    asked: int = 0
    handle: int = 1
    inputs = outputs = Twin.inputs
    runtime, delegate, delegated = "python", "liar", (1, 1)

    @property
    def connection(self) -> Remote:
        return self

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        assert not self.closed
        self.asked += 1
        what = self.script.pop(0) if self.script else "ok"
        if what == "occupied":
            self.busy = 2
        if what in ERRORS:
            raise ERRORS[what]("infer on", "liar", what)
        return (np.array([tensors[0][0], WRONG if what == "garbage" else THERE]),)

    def free(self) -> bool:
        self.busy = max(0, self.busy - 1)
        return not self.busy

    def drop(self, handle: int) -> None:
        self.dropped.append(handle)

    def close(self) -> None:
        self.closed = True


class Right:
    """A case: whoever computes it, but not wrongly."""

    tensors = GIVEN

    def differs(self, outputs: Sequence[Array]) -> str:
        return "another number" if outputs[0][1] == WRONG else ""


def use(*script: str, generation: int = 1, **more: Any) -> Use:
    return Use(cast("RemoteBackend", Remote(list(script))), "liar", generation, **more)


def remote(one: Use) -> Remote:
    return cast("Remote", one.remote)
