"""An updater without a process: a test pulls its strings. Its socket is real."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.processes.child import Child
from agent.processes.ipc import Channel
from agent.updater.messages import UpdaterSpec

if TYPE_CHECKING:
    import signal

    from agent.updater.messages import FromUpdater


class PuppetUpdater(Child):
    """What the supervisor sees of an updater, and its own end of it.

    Attributes:
        spec: what it is to do.
        signals: what it was sent, oldest first.
    """

    def __init__(self, spec_json: bytes) -> None:
        self.spec = UpdaterSpec.model_validate_json(spec_json)
        self.channel, self.end = Channel.pair()
        self.pidfd = -1
        self.signals: list[signal.Signals] = []
        self._code: int | None = None

    @property
    def pid(self) -> int:
        return 1000

    def signal(self, number: signal.Signals) -> None:
        self.signals.append(number)

    def exit_code(self) -> int | None:
        return self._code

    def say(self, message: FromUpdater | bytes) -> None:
        """Send a packet."""
        self.end.send(message if isinstance(message, bytes) else message.model_dump_json().encode())

    def die(self, code: int) -> None:
        """End, as a process does."""
        self.end.close()
        self._code = code
