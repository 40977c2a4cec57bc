"""Which version of MQTT to speak next, when the broker's is not known."""

from __future__ import annotations

from typing import Literal

Version = Literal["5", "3.1.1"]
Choice = Literal["auto", "5", "3.1.1"]

_STRIKES = 2


class Versions:
    """Chooses the version of the next attempt; remembers the one that worked.

    Brokers that know only 3.1.1 answer a CONNECT of MQTT 5 with a refusal, with a closed connection, or
    (amqtt) with silence. Only the refusal is certain; the others could as well be a broker that just died,
    so a version that has worked is left only after it failed twice in a row.
    """

    def __init__(self, choice: Choice) -> None:
        self._fixed = choice != "auto"
        self.current: Version = "3.1.1" if choice == "3.1.1" else "5"
        self.proven = False
        self._strikes = 0

    def worked(self) -> None:
        """Remember the current version: the broker has accepted it."""
        self.proven = True
        self._strikes = 0

    def failed(self, *, certain: bool) -> bool:
        """Learn that the broker did not accept the current version; say whether another one is next.

        Args:
            certain: the broker has said that it does not speak this version.
        """
        self._strikes += 1
        if self._fixed or (self.proven and not certain and self._strikes < _STRIKES):
            return False
        self.current = "3.1.1" if self.current == "5" else "5"
        self.proven = False
        self._strikes = 0
        return True
