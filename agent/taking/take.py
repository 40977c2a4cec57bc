"""Taking frames, as the parent sees it: a process that does it, and what came of that.

The source's driver or library may crash or hang: it costs that process, and is a reason. What was written by
then can be read.
"""

from __future__ import annotations

import selectors
import time
from typing import TYPE_CHECKING

from agent.errors import EXIT_OK, AgentError, ConfigInvalid, LaneCrashed, MessageInvalid
from agent.processes.child import Child, ending
from agent.processes.message import error_of, read
from agent.taking.orders import MODULE, At, Done, Fault, Took, packets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.config.tables import Deadlines
    from agent.taking.orders import Orders

_STOP_S = 5.0
_READ = "See docs/configuration.md"


def take(
    orders: Orders,
    file_fd: int,
    deadlines: Deadlines,
    *,
    spawn: Callable[..., Child] = Child,
) -> Iterator[Took | Done]:
    """Take frames into a file, in a process of its own; ^C ends it, and what was taken is whole.

    Args:
        orders: what to take.
        file_fd: where to; the process gets a copy.
        deadlines: how long it may start, open its source, and read a frame.
        spawn: starts the process.

    Yields:
        How far it is, and at last what came of it.

    Raises:
        AgentError: the source cannot be had, or the process died or hung.
    """
    try:
        child = spawn(MODULE, orders.model_dump_json().encode(), also=(file_fd,))
    except OSError as error:
        problem = f"cannot start a process: {error.strerror or error}"
        raise AgentError("record", orders.lane.source, problem, "Close other programs") from error
    follower = _Follower(child, orders.lane.source, deadlines)
    code: int | None = None
    try:
        yield from follower.follow()
    finally:
        code = child.see_off(patient=follower.over)
    if not follower.done:
        raise follower.why_not(code)


class _Follower:
    """Follows one process through its phases, each with its deadline."""

    def __init__(self, child: Child, name: str, deadlines: Deadlines) -> None:
        self._child = child
        self._name = name
        self._deadlines = deadlines
        self._limit_s = deadlines.start_s
        self._doing = "while it starts"
        self._why = ""
        self._fault: Fault | None = None
        self._stopping = False
        self.done = False
        self.over = False
        """Whether it ends by itself now."""

    def follow(self) -> Iterator[Took | Done]:
        """Give what it says until it has said all, or is to be killed for saying nothing."""
        with selectors.DefaultSelector() as selector:
            # Its end is looked for, too: what it has started may keep the channel open.
            for fd in (self._child.channel.fileno(), self._child.pidfd):
                selector.register(fd, selectors.EVENT_READ)
            until = time.monotonic() + self._limit_s
            while not self.over:
                ready = self._wait(selector, until)
                if ready is None:
                    return
                packet = self._child.channel.receive()
                if not packet and (packet is not None or self._child.pidfd in ready):
                    self.over = True
                    return
                if packet:
                    message = self._take(packet)
                    until = time.monotonic() + self._limit_s
                    if message is not None:
                        yield message
                    elif self._why:
                        return

    def _wait(self, selector: selectors.BaseSelector, until: float) -> set[int] | None:
        """Wait until it says something; None when it has been silent for too long."""
        while True:
            left = until - time.monotonic()
            try:
                if ready := {key.fd for key, _ in selector.select(max(0.0, left))}:
                    return ready
            except KeyboardInterrupt:
                if self._stopping:
                    raise
                self._stop()
                until = min(until, time.monotonic() + _STOP_S)
                continue
            if left <= 0:
                self._why = f"no answer for {self._limit_s:g} s {self._doing}"
                return None

    def _stop(self) -> None:
        self._stopping = True
        self._limit_s = _STOP_S
        try:
            self._child.channel.send(b'{"type":"stop"}')
        except OSError:
            return  # it is ending

    def _take(self, packet: bytes) -> Took | Done | None:
        """Take in what it said; give what the caller is to know of it."""
        try:
            message = read(packets, packet, "from the process that records")
        except MessageInvalid as error:
            self._why = f"it says what it should not: {error.problem}"
            return None
        match message:
            case At():
                self._limit_s, self._doing = self._deadlines.open_s, "while it opens the source"
                return None
            case Fault():
                self._fault = message
                self.over = True
                return None
            case Done():
                self.done = self.over = True
        if not self._stopping:
            self._limit_s, self._doing = self._deadlines.capture_s, "while it reads the source"
        return message

    def why_not(self, code: int | None) -> AgentError:
        """Say why nothing came of it; ``code`` is how it ended, None when SIGKILL did not end it."""
        if self._fault is not None:
            fault = self._fault
            if fault.error == ConfigInvalid.__name__ and not fault.hint:
                fault = fault.model_copy(update={"hint": _READ})
            return error_of(fault)
        why = self._why
        if not why:
            died = "it fell silent" if code is None or code == EXIT_OK else ending(code)
            why = f"the process died {self._doing}: {died.removeprefix('ended by ')}"
        hint = "Look at the device: edge-agent sources; dmesg tells more"
        return LaneCrashed("read source", self._name, why, hint)
