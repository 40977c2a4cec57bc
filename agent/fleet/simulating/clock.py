"""A simulated device's clock: the machine's own, or one whose wall time is off."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.clock import SystemClock


class SimulatedClock:
    """The machine's clocks, shifted.

    Args:
        machine: what the time is taken from.
        off_s: how far the wall clock is off, seconds; then it says that it is not synchronised.
    """

    def __init__(self, machine: SystemClock, off_s: float = 0.0) -> None:
        self._machine = machine
        self._off_ns = int(off_s * 1e9)

    @property
    def boot(self) -> str:
        """As the machine's."""
        return self._machine.boot

    def monotonic(self) -> float:
        """As the machine's."""
        return self._machine.monotonic()

    def wall_ns(self) -> int:
        """Nanoseconds since 1970, as this device believes."""
        return max(0, self._machine.wall_ns() + self._off_ns)

    def synced(self) -> bool | None:
        """Whether that is to be believed."""
        return False if self._off_ns else self._machine.synced()
