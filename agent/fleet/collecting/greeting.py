"""Every known device, a page at a time: whom to tell what is stored, when the link is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PAGE = 50
PAUSE_S = 0.1


class Greeting:
    """Goes through the devices by name, at most 500 a second, and holds one page at the most.

    Args:
        devices: gives the next ones after a name, at most so many.
    """

    def __init__(self, devices: Callable[[str, int], Sequence[str]]) -> None:
        self._devices = devices
        self._after: str | None = None
        self._next = 0.0

    @property
    def going_on(self) -> bool:
        """Whether there are more."""
        return self._after is not None

    def begin(self) -> None:
        """Begin with the first one, again if it must be."""
        self._after = ""
        self._next = 0.0

    def page(self, now: float) -> Sequence[str]:
        """The next devices; none when it is too early, or when all have been given.

        Args:
            now: monotonic, seconds.

        Raises:
            StoreBusy: the database cannot be read; the same page comes next time.
        """
        if self._after is None or now < self._next:
            return ()
        found = self._devices(self._after, PAGE)
        self._after = found[-1] if len(found) == PAGE else None
        self._next = now + PAUSE_S
        return found
