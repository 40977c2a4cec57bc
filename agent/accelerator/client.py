"""A worker's end of a connection to an accelerator process."""

from __future__ import annotations

import math
import os
import select
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from agent.accelerator import memory, protocol
from agent.accelerator.faults import Died, NotLoaded, Occupied, Overrun, Refused
from agent.accelerator.protocol import Kind, Turn
from agent.errors import InputRejected, MessageInvalid
from agent.processes.ipc import Channel, close_all
from agent.processes.message import error_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array

_HINT = "Its process is started again"
_MOST_UNASKED = 1024
"""Packets in a row that answer nothing. A socket holds about 280: who sends more keeps deadlines away."""
_MOST_WAITS = 128
"""Models of others that it may load before ours: each worker has two."""


class Connection:
    """Has models loaded and run in an accelerator process. One thread at a time uses it.

    An answer that is late is never taken for another's: after an overrun the connection is dead, and answers
    carry the number of the request.

    Args:
        fd: a connected SEQPACKET socket, which it takes over.
        title: the accelerator's, for errors.

    Attributes:
        took_us: how long the runtime took over there for the last answer, microseconds.
    """

    def __init__(self, fd: int, title: str) -> None:
        os.set_blocking(fd, False)
        self._channel = Channel.from_fd(fd)
        self._title = title
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._areas: dict[int, memory.Area] = {}
        self._handle = 0
        self._seq = 0
        self.took_us = 0
        self._owed = 0  # the number of a request whose answer nobody waits for any more
        self._unasked = 0
        self._busy = False
        self._dead = self._closed = False
        self._closing = threading.Lock()

    @property
    def over(self) -> bool:
        """Whether it is known to be dead."""
        return self._dead

    def hello(self, timeout_s: float) -> protocol.Hello:
        """Wait for the accelerator's first word.

        Raises:
            AcceleratorFault: it does not come.
        """
        message, descriptors = self._await(time.monotonic() + timeout_s)
        close_all(descriptors)
        if not isinstance(message, protocol.Hello):
            raise self._broken(f"its first word is {_name(message)}")
        return message

    def load(self, model: bytes, name: str, timeout_s: float) -> protocol.Loaded:
        """Have a model loaded; the time that the accelerator loads another worker's does not count.

        Args:
            model: the bytes of the model file.
            name: what errors call it.
            timeout_s: seconds that it may take.

        Raises:
            NotLoaded: the accelerator cannot load it.
            AcceleratorFault: the accelerator failed.
        """
        self._handle += 1
        try:
            fd = memory.sealed(model)
        except OSError as failure:
            problem = f"its bytes cannot be shared: {failure.strerror}"
            raise NotLoaded("load model", f"{name} on {self._title}", problem) from failure
        try:
            self._send(protocol.packed(protocol.Load(handle=self._handle, name=name[:200])), [fd])
        finally:
            os.close(fd)
        message, descriptors = self._await_loaded(timeout_s)
        if isinstance(message, protocol.Refused) and message.handle == self._handle:
            close_all(descriptors)
            error = error_of(message)
            raise NotLoaded("load model", f"{name} on {self._title}", error.problem, error.hint)
        if isinstance(message, protocol.Loaded) and message.handle == self._handle and len(descriptors) == 1:
            return self._mapped(message, descriptors[0])
        close_all(descriptors)
        raise self._broken(f"it answers {_name(message)} to a model")

    def _await_loaded(self, timeout_s: float) -> tuple[object, list[int]]:
        """Wait for the answer to a model; what others have loaded first does not count."""
        deadline = time.monotonic() + timeout_s
        for _ in range(_MOST_WAITS):
            message, descriptors = self._await(deadline)
            if not isinstance(message, protocol.Busy | Turn):
                self._unasked = 0
                return message, descriptors
            close_all(descriptors)
            self._take(message)
            if isinstance(message, protocol.Busy):
                deadline = time.monotonic() + timeout_s
        raise self._broken("it loads for others without end")

    def _mapped(self, message: protocol.Loaded, fd: int) -> protocol.Loaded:
        specs = [tuple(one.spec() for one in side) for side in (message.inputs, message.outputs)]
        try:
            self._areas[message.handle] = memory.Area(fd, *specs)
        except (MessageInvalid, OSError, ValueError) as error:  # memory that cannot be written, absurd shapes
            os.close(fd)
            raise self._broken(str(error)) from error
        return message

    def infer(self, handle: int, tensors: Sequence[Array], timeout_s: float) -> tuple[Array, ...]:
        """Have a model run once; what comes back is the caller's.

        Raises:
            InputRejected: the tensors do not fit the model.
            Occupied: the accelerator loads another worker's model.
            Refused: it said no; the next may be fine.
            AcceleratorFault: it gave no answer in time, or is gone.
        """
        deadline = time.monotonic() + timeout_s
        area = self._areas[handle]
        self._check(area, tensors)
        if not self.free():
            raise Occupied("infer on", self._title, "it loads another model")
        for view, tensor in zip(area.inputs, tensors, strict=True):
            np.copyto(view, tensor)
        self._seq += 1
        self._owed = self._seq
        self._send(Turn(Kind.INFER, handle, self._seq).packet())
        while True:
            message, descriptors = self._await(deadline)
            close_all(descriptors)
            self._take(message)
            if isinstance(message, Turn):
                break
            if self._busy:
                raise Occupied("infer on", self._title, "it loads another model")
        if message.kind is Kind.FAILED:
            raise Refused("infer on", self._title, message.problem, _HINT)
        self.took_us = message.us
        return tuple(view.copy() for view in area.outputs)

    def free(self) -> bool:
        """Whether it would answer now: it loads nobody's model, and owes no answer.

        Raises:
            AcceleratorFault: it is gone.
        """
        while (got := self._receive()) is not None:
            message, descriptors = got
            close_all(descriptors)
            self._take(message)
        return not (self._busy or self._owed)

    def wait_free(self, timeout_s: float) -> None:
        """Wait until it would answer.

        Raises:
            AcceleratorFault: it does not come to that in time, or is gone.
        """
        deadline = time.monotonic() + timeout_s
        while not self.free():
            message, descriptors = self._await(deadline)
            close_all(descriptors)
            self._take(message)

    def drop(self, handle: int) -> None:
        """Let go of a model; nothing happens where the connection is dead."""
        if area := self._areas.pop(handle, None):
            area.close()
            try:
                self._send(protocol.packed(protocol.Drop(handle=handle)))
            except Died:
                return

    def hang_up(self) -> None:
        """Have whoever waits on it find it dead. Safe from any thread."""
        with self._closing:
            if not self._closed:
                self._channel.hang_up()

    def close(self) -> None:
        """Close it, and free all models' memory. Idempotent."""
        with self._closing:
            self._dead = self._closed = True
            self._channel.close()
        for area in self._areas.values():
            area.close()
        self._areas.clear()

    def _check(self, area: memory.Area, tensors: Sequence[Array]) -> None:
        """Refuse what does not fit, before anything is written."""
        wanted = [(view.dtype, view.shape) for view in area.inputs]
        if wanted != [(tensor.dtype, tensor.shape) for tensor in tensors]:
            found = ", ".join(f"{tensor.dtype} {list(tensor.shape)}" for tensor in tensors) or "nothing"
            needs = ", ".join(f"{dtype} {list(shape)}" for dtype, shape in wanted)
            raise InputRejected("run model", self._title, f"it takes {needs}, and got {found}")

    def _take(self, message: object) -> None:
        match message:
            case protocol.Busy(busy=busy):
                self._busy = busy
            case Turn(seq=seq) if self._owed and seq == self._owed:
                self._owed = self._unasked = 0
            case _:
                raise self._broken(f"it says {_name(message)}, which nobody has asked for")

    def _await(self, deadline: float) -> tuple[object, list[int]]:
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            self._poll.poll(math.ceil(left_s * 1000))
            if (got := self._receive()) is not None:
                return got
            if time.monotonic() >= deadline:
                self._dead = True
                raise Overrun("wait for", self._title, "it gives no answer in time", _HINT)

    def _receive(self) -> tuple[object, list[int]] | None:
        if self._dead:
            raise Died("talk to", self._title, "the connection is over", _HINT)
        packet, descriptors = self._channel.receive_with()
        if packet is None:
            return None
        try:
            if not packet:
                raise self._broken("its process has ended")
            self._unasked += 1
            if self._unasked > _MOST_UNASKED:
                raise self._broken("it says more than anybody has asked for")
            return protocol.answered(packet), descriptors
        except MessageInvalid as error:
            close_all(descriptors)
            raise self._broken(str(error)) from error
        except Died:
            close_all(descriptors)
            raise

    def _send(self, packet: bytes, descriptors: Sequence[int] = ()) -> None:
        if self._dead:
            raise Died("talk to", self._title, "the connection is over", _HINT)
        try:
            if descriptors:
                self._channel.send_with(packet, descriptors)
            else:
                self._channel.send(packet)
        except OSError as error:
            self._dead = True
            raise Died("talk to", self._title, f"its process has ended ({error.strerror})", _HINT) from error

    def _broken(self, problem: str) -> Died:
        self._dead = True
        return Died("talk to", self._title, problem, _HINT)


def _name(message: object) -> str:
    return str(getattr(message, "type", "an inference"))
