"""Whether somebody wants a picture of the next frame: one thread is told, another one asks."""

from __future__ import annotations

import threading


class Wanted:
    """Remembers the newest request. Safe from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._token: int | None = None

    def ask(self, token: int) -> None:
        """Ask for the next frame; an older request that no frame has come for since is forgotten."""
        with self._guard:
            self._token = token

    def take(self) -> int | None:
        """Give the request, once; None for none."""
        if self._token is None:  # as for nearly every frame: no lock
            return None
        with self._guard:
            token, self._token = self._token, None
        return token
