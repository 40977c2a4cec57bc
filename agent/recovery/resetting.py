"""A reset of a device, from outside: a short-lived program does it, so that nobody else can hang on it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from agent.processes.child import Child, ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.boards.accelerators import Accelerator

_LIMIT_S, _KILL_S = 10.0, 5.0


class Resetting:
    """One reset: ``python -m agent.recovery.reset_main``. It is told the time, and never sleeps.

    Args:
        accelerator: whose device.
        now: seconds of the monotonic clock.
        spawn: starts the program.

    Attributes:
        child: its process; None when it is over.
        problem: why the device was not reset; "" when it was.
        stuck: whether SIGKILL did not end it.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        now: float,
        spawn: Callable[[bytes], Child] = lambda spec: Child("agent.recovery.reset_main", spec),
    ) -> None:
        self._over_at = now + _LIMIT_S
        self._killed = False
        self.stuck = False
        self.child: Child | None = None
        self.problem = ""
        try:
            self.child = spawn(accelerator.model_dump_json().encode())
        except OSError as error:
            self.problem = f"cannot start: {error}"

    def tick(self, now: float) -> bool:
        """End what takes too long; give whether it is over."""
        if self.child is None:
            return True
        if (code := self.child.exit_code()) is not None:
            said = self.child.channel.receive()
            self.child.close()
            self.child = None
            if code != 0:
                words = said.decode("utf-8", "replace")[:500] if said else ending(code)
                self.problem = "it took too long" if self._killed else words
            return True
        if now >= self._over_at:
            self.stuck = self._killed
            self._killed, self._over_at = True, now + _KILL_S
            self.child.signal(signal.SIGKILL)
        return False

    def abandon(self) -> None:
        """The agent ends now: leave no process."""
        if self.child is not None:
            self.child.signal(signal.SIGKILL)
            self.child.exit_code()
            self.child.close()
            self.child = None
