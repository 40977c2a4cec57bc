"""What the broker keeps for some devices, and what they report from then on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from agent.fleet.kept import AT_ONCE, kept_of
from agent.fleet.talk import Talk
from agent.link import topics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.link.settings import LinkSettings

_ASK_S = 60.0
"""A broker may drop reports while it sends those of a whole fleet: so often they are asked for again."""
_REPORTED = "up/reported"


class Hearing:
    """A connection for the desired states of some devices, and what they report; to be entered.

    Args:
        settings: of the link.
        fleet: the fleet.
        devices: their names, at least one.

    Attributes:
        talk: the connection.
    """

    def __init__(self, settings: LinkSettings, fleet: str, devices: Sequence[str]) -> None:
        self._settings = settings
        self._fleet = fleet
        self._devices = devices
        self._few = len(devices) <= AT_ONCE  # the reports of more are heard as the fleet's
        self._asked = time.monotonic()
        self._found: list[tuple[str, bytes]] = []
        down = [topics.down_desired(fleet, name) for name in devices]
        up = [topics.up_reported(fleet, name) for name in devices]
        listen = [*down, *up] if self._few else [topics.all_reported(fleet)]
        self.talk = Talk(settings, listen, topics.echo(fleet, devices[0]))

    def __enter__(self) -> Self:
        self.talk.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.talk.__exit__()

    def kept(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """Give the desired states and the reports that the broker keeps, by device.

        Raises:
            LinkLost: the broker does not answer in time, or refuses us.
        """
        if self._few:
            found = self.talk.kept()
            down = {topics.down_desired(self._fleet, name): name for name in self._devices}
            up = {topics.up_reported(self._fleet, name): name for name in self._devices}
            return (
                {down[topic]: payload for topic, payload in found.items() if topic in down},
                {up[topic]: payload for topic, payload in found.items() if topic in up},
            )
        wishes = kept_of(self._settings, self._fleet, self._devices, topics.down_desired)
        return wishes, kept_of(self._settings, self._fleet, self._devices, topics.up_reported)

    def report(self, timeout_s: float, waited_for: Sequence[str]) -> tuple[str, bytes] | None:
        """Give the next report, and whose it is; None when none comes in time.

        Args:
            timeout_s: how long to wait.
            waited_for: devices that are asked for again where reports may have been dropped.

        Raises:
            LinkLost: the broker refuses us.
        """
        if not self._few and time.monotonic() - self._asked > _ASK_S:
            self._asked = time.monotonic()
            self._found += kept_of(self._settings, self._fleet, waited_for, topics.up_reported).items()
        if self._found:
            return self._found.pop()
        message = self.talk.next(timeout_s)
        device = message and topics.sender_below(self._fleet, message.topic, _REPORTED)
        return (device, message.payload) if message and device else None
