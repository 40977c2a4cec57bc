"""What a broker keeps of many devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.fleet.talk import Talk
from agent.link import topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.link.settings import LinkSettings

AT_ONCE = 250
"""Devices that are asked for at a time, or listened to one by one: brokers queue about 1,000 messages for a
client, and drop more."""


def kept_of(
    settings: LinkSettings, fleet: str, devices: Sequence[str], topic: Callable[[str, str], str]
) -> dict[str, bytes]:
    """Give what a broker keeps for each of many devices, by the device's name.

    Args:
        settings: of the link.
        fleet: whose devices.
        devices: their names.
        topic: gives the topic for fleet and device.

    Raises:
        LinkLost: the broker does not answer in time, or refuses us.
    """
    found: dict[str, bytes] = {}
    for some, kept in kept_in_slices(settings, fleet, devices, lambda *device: [topic(*device)]):
        names = {topic(fleet, name): name for name in some}
        found |= {names[one]: payload for one, payload in kept.items() if one in names}
    return found


def kept_in_slices(
    settings: LinkSettings,
    fleet: str,
    devices: Sequence[str],
    wanted: Callable[[str, str], Sequence[str]],
) -> Iterator[tuple[Sequence[str], dict[str, bytes]]]:
    """Ask a broker for a slice of many devices at a time; give the devices, and what it keeps by topic.

    Args:
        settings: of the link.
        fleet: whose devices.
        devices: their names.
        wanted: gives the topics, four at most, for fleet and device.

    Raises:
        LinkLost: the broker does not answer in time, or refuses us.
    """
    for at in range(0, len(devices), AT_ONCE):
        some = devices[at : at + AT_ONCE]
        listen = [topic for name in some for topic in wanted(fleet, name)]
        with Talk(settings, listen, topics.echo(fleet, some[0])) as talk:
            kept = talk.kept()
        yield some, kept
