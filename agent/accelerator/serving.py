"""Serves workers' requests on one accelerator: one thread, one request after the other.

Each turn of the loop takes one request of each worker that has one, so none waits for more than one of each
other. A native call that hangs hangs all of it: workers have deadlines, and the supervisor has the page.
"""

from __future__ import annotations

import os
import selectors
import time
from typing import TYPE_CHECKING

import numpy as np
import orjson

from agent.accelerator import memory, protocol
from agent.accelerator.protocol import Kind, Turn
from agent.errors import AgentError, BackendFault, MessageInvalid, ModelInvalid
from agent.events import Event, emit
from agent.manifest import MAX_MODEL_BYTES
from agent.processes.ipc import MAX_PACKET, Channel, close_all
from agent.types import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.types import Backend

_MOST_GUESTS = 64


class _Resident:
    """A model of a worker, loaded."""

    def __init__(self, backend: Backend, area: memory.Area) -> None:
        self.backend = backend
        self.area = area
        self.fresh = True
        """Whether it has not run yet: the first inference may take as long as loading."""

    def close(self) -> None:
        self.area.close()
        self.backend.close()


class _Guest:
    """A worker's connection, and the models that it has here."""

    def __init__(self, channel: Channel, pipeline: str) -> None:
        self.channel = channel
        self.pipeline = pipeline
        self.models: dict[int, _Resident] = {}


class Host:
    """The loop.

    Args:
        channel: to the supervisor.
        build: loads a model's bytes, called by a name, on the accelerator.
        hello: what each worker is told first.
        beat: notes the phase that begins.
    """

    def __init__(
        self,
        channel: Channel,
        build: Callable[[bytes, str], Backend],
        hello: protocol.Hello,
        beat: Callable[[Phase], None],
    ) -> None:
        self._channel = channel
        self._build = build
        self._hello = protocol.packed(hello)
        self._beat = beat
        self._guests: dict[int, _Guest] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(channel.fileno(), selectors.EVENT_READ)

    def run(self) -> bool:
        """Serve until the supervisor says stop, or is gone; give whether it said so."""
        while True:
            self._beat(Phase.WAIT)
            ready = [key.fd for key, _ in self._selector.select()]
            if self._channel.fileno() in ready:
                ready.remove(self._channel.fileno())
                if (stop := self._obey()) is not None:
                    return stop
            for fd in ready:
                if guest := self._guests.get(fd):
                    self._attend(fd, guest)

    def close(self) -> None:
        """Let go of all models and connections."""
        for fd, guest in list(self._guests.items()):
            self._part(fd, guest)
        self._selector.close()

    def _obey(self) -> bool | None:
        packet, descriptors = self._channel.receive_with()
        if not packet:
            return False
        match orjson.loads(packet):
            case {"type": "connect", "pipeline": str(pipeline)} if len(descriptors) == 1:
                self._welcome(descriptors[0], pipeline)
                return None
            case {"type": "stop"}:
                close_all(descriptors)
                return True
        close_all(descriptors)
        return None

    def _welcome(self, fd: int, pipeline: str) -> None:
        if len(self._guests) >= _MOST_GUESTS:
            os.close(fd)
            return
        os.set_blocking(fd, False)
        guest = _Guest(Channel.from_fd(fd), pipeline)
        self._guests[fd] = guest
        self._selector.register(fd, selectors.EVENT_READ)
        self._tell(fd, guest, self._hello)

    def _attend(self, fd: int, guest: _Guest) -> None:
        """Serve one request. Whoever breaks the protocol, or does not read, loses this connection only."""
        packet, descriptors = guest.channel.receive_with()
        try:
            if packet is None:
                return
            if not packet:
                self._part(fd, guest)
                return
            self._serve(fd, guest, packet, descriptors)
        except MessageInvalid as error:
            emit(Event.MESSAGE_REFUSED, guest.pipeline, problem=error)
            self._part(fd, guest)
        finally:
            close_all(descriptors)

    def _serve(self, fd: int, guest: _Guest, packet: bytes, descriptors: list[int]) -> None:
        match protocol.asked(packet):
            case Turn() as turn:
                self._infer(fd, guest, turn)
            case protocol.Load(handle=handle, name=name):
                if len(descriptors) != 1 or handle in guest.models:
                    raise MessageInvalid(
                        "load model", name, "it comes without its bytes, or for the second time"
                    )
                if len(guest.models) >= protocol.MOST_MODELS:
                    raise MessageInvalid("load model", name, f"{len(guest.models)} are loaded already")
                model = memory.unsealed(descriptors[0], MAX_MODEL_BYTES)
                self._load(fd, guest, (handle, name), model)
            case protocol.Drop(handle=handle):
                if resident := guest.models.pop(handle, None):
                    self._beat(Phase.LOAD)
                    resident.close()

    def _load(self, fd: int, guest: _Guest, key: tuple[int, str], model: bytes) -> None:
        handle, name = key
        self._warn(fd, busy=True)
        self._beat(Phase.LOAD)
        try:
            backend = self._build(model, name)
            area, packet = _described(handle, name, backend)
        except AgentError as error:
            self._tell(fd, guest, protocol.packed(protocol.refused(handle, error)))
        else:
            guest.models[handle] = _Resident(backend, area)
            self._tell(fd, guest, packet, area.fd)
        finally:
            self._warn(fd, busy=False)

    def _infer(self, fd: int, guest: _Guest, turn: Turn) -> None:
        if (resident := guest.models.get(turn.handle)) is None:
            raise MessageInvalid("infer", guest.pipeline, f"there is no model {turn.handle}")
        if fresh := resident.fresh:
            self._warn(fd, busy=True)
        answer = self._run(resident, turn)
        if fresh:
            self._warn(fd, busy=False)
        self._tell(fd, guest, answer.packet())

    def _run(self, resident: _Resident, turn: Turn) -> Turn:
        """Run a model on what lies in its memory; give the answer to the request."""
        self._beat(Phase.LOAD if resident.fresh else Phase.INVOKE)
        began = time.monotonic_ns()
        try:
            outputs = resident.backend.infer(resident.area.inputs)
        except BackendFault as error:
            return Turn(Kind.FAILED, turn.handle, turn.seq, problem=error.problem or "it gives no reason")
        us = (time.monotonic_ns() - began) // 1000
        for view, found in zip(resident.area.outputs, outputs, strict=True):
            if (found.shape, found.dtype) != (view.shape, view.dtype):
                problem = f"an output became {found.dtype} {list(found.shape)}"
                return Turn(Kind.FAILED, turn.handle, turn.seq, problem=problem)
            np.copyto(view, found)
        resident.fresh = False
        return Turn(Kind.DONE, turn.handle, turn.seq, us)

    def _warn(self, loading: int, *, busy: bool) -> None:
        """Tell all others that the accelerator answers nobody for a while, or does again."""
        packet = protocol.packed(protocol.Busy(busy=busy))
        for fd, guest in list(self._guests.items()):
            if fd != loading:
                self._tell(fd, guest, packet)

    def _tell(self, fd: int, guest: _Guest, packet: bytes, *descriptors: int) -> None:
        try:
            if descriptors:
                guest.channel.send_with(packet, descriptors)
            else:
                guest.channel.send(packet)
        except OSError:  # it is gone, or does not read what it is sent
            self._part(fd, guest)

    def _part(self, fd: int, guest: _Guest) -> None:
        if self._guests.pop(fd, None) is None:
            return
        self._selector.unregister(fd)
        guest.channel.close()
        self._beat(Phase.LOAD)  # freeing a model is the library's work, too
        for resident in guest.models.values():
            resident.close()
        guest.models.clear()


def _described(handle: int, name: str, backend: Backend) -> tuple[memory.Area, bytes]:
    """Give the memory of a model's tensors, and the packet that describes them.

    Raises:
        ModelInvalid: they are too many or too large, or hold no numbers.
    """
    facts = (backend.runtime, backend.delegate, backend.delegated)
    problem = ""
    try:
        packet = protocol.packed(protocol.loaded(handle, backend.inputs, backend.outputs, facts))
        if len(packet) <= MAX_PACKET:
            return memory.Area.create(backend.inputs, backend.outputs), packet
        problem = f"their description has {len(packet)} bytes"
    except (ValueError, MessageInvalid, OSError) as error:
        problem = " ".join(str(error).split())[:200]
    backend.close()
    raise ModelInvalid("load model", name, f"its tensors cannot be shared: {problem}", "Run it on the CPU")
