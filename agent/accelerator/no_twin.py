"""Stands where the CPU twin would, of a model that was compiled for an accelerator and runs nowhere else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent.boards.accelerators import NOWHERE
from agent.errors import DelegateLost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array, Signature

_PAUSE_S = 0.1
"""For each frame: a recording would rush through, at thousands of frames a second, with no answer to any."""


class NoTwin:
    """A backend that knows the model's tensors, and answers no frame.

    Args:
        signature: the tensors.
        runtime: name and version of the runtime that has read them.
    """

    def __init__(self, signature: Signature, runtime: str) -> None:
        self.inputs, self.outputs = signature.inputs, signature.outputs
        self.runtime = runtime
        self.delegate = NOWHERE
        self.delegated = (0, 0)

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002 - whatever they are
        """Give no answer, and not at once.

        Raises:
            DelegateLost: always.
        """
        time.sleep(_PAUSE_S)
        hint = "Give a bundle with a version for the CPU, which stands in then"
        raise DelegateLost("infer on", "accelerator", "it is away, and the model runs nowhere else", hint)

    def close(self) -> None:
        """Do nothing."""
