"""A model that is loaded in an accelerator process, as a backend that learns how long it may take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent.accelerator.deadline import Deadline
from agent.accelerator.faults import Occupied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.accelerator.client import Connection
    from agent.boards.accelerators import Limits
    from agent.types import Array


class RemoteBackend:
    """A model on an accelerator. One thread at a time uses it, and its connection.

    Args:
        connection: to the accelerator process; whoever made it closes it.
        model: the bytes of the model file.
        name: what errors call the model.
        limits: how long things may take.

    Attributes:
        inputs: the input tensors, in the model's order.
        outputs: the output tensors, in the model's order.
        runtime: the runtime's name and version, over there.
        delegate: the accelerator's name; "cpu" or "xnnpack" where it has taken no operator.
        delegated: how many operators it has taken, and how many the model has.

    Raises:
        AcceleratorFault: the accelerator cannot load it, or failed.
    """

    def __init__(self, connection: Connection, model: bytes, name: str, limits: Limits) -> None:
        loaded = connection.load(model, name, limits.load_s)
        self.connection = connection
        self.handle = loaded.handle
        self.inputs = tuple(one.spec() for one in loaded.inputs)
        self.outputs = tuple(one.spec() for one in loaded.outputs)
        self.runtime = loaded.runtime
        self.delegate = loaded.delegate
        self.delegated = loaded.delegated
        self._limits = limits
        self._deadline = Deadline(limits)
        self._fresh = True

    @property
    def deadline_s(self) -> float:
        """How long the next inference may take, seconds; the first one belongs to loading."""
        return self._limits.load_s if self._fresh else self._deadline.seconds

    def infer(self, tensors: Sequence[Array]) -> tuple[Array, ...]:
        """Run the model once; see ``Connection.infer`` for what it raises."""
        began = time.monotonic_ns()
        outputs = self.connection.infer(self.handle, tensors, self.deadline_s)
        if self._fresh:
            self._fresh = False
        else:
            self._deadline.note(time.monotonic_ns() - began)
        return outputs

    def infer_patiently(self, tensors: Sequence[Array]) -> tuple[Array, ...]:
        """Run the model once, when the accelerator has loaded what it loads for others."""
        while True:
            try:
                return self.infer(tensors)
            except Occupied:
                self.connection.wait_free(self._limits.load_s)

    def close(self) -> None:
        """Let go of the model. Idempotent."""
        self.connection.drop(self.handle)
