"""Reads what devices say of themselves off the broker, and proves it with their keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.documents import reported, vitals
from agent.errors import ConfigInvalid, MessageInvalid
from agent.fleet import states
from agent.fleet.kept import kept_in_slices
from agent.fleet.keys import DeviceKeys
from agent.fleet.looking.facts import Facts, with_reported, with_state, with_vitals
from agent.link import topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from agent.fleet.inventory import Entry
    from agent.link.settings import LinkSettings

    _Take = Callable[[Facts, bytes], Facts]

STATE, VITALS, REPORTED = "up/state", "up/vitals", "up/reported"
_ORDER = (STATE, VITALS, REPORTED)
_PROBLEM = 200


class Reader:
    """Takes in what a device says.

    Args:
        folder: the operator's; its keys prove it.
        fleet: the fleet.
        unsigned: believe what has no signature.
    """

    def __init__(self, folder: Path, fleet: str, *, unsigned: bool = False) -> None:
        self._folder = folder
        self._fleet = fleet
        self._keys = DeviceKeys(folder, unsigned=unsigned)
        self._takes: dict[str, _Take] = {
            STATE: lambda facts, payload: with_state(facts, states.decode(payload)),
            VITALS: self._vitals,
            REPORTED: self._reported,
        }

    def take(self, facts: Facts, ending: str, payload: bytes) -> Facts:
        """Take in a message.

        Args:
            facts: what is known of its device.
            ending: of its topic.
            payload: the message; an empty one takes nothing away.
        """
        if not payload:
            return facts
        try:
            taken = self._takes[ending](facts, payload)
            return replace(taken, unproved="") if taken.unproved.startswith(f"{ending}: ") else taken
        except (MessageInvalid, ConfigInvalid) as error:
            return replace(facts, unproved=f"{ending}: {error.problem}"[:_PROBLEM])

    def certificate_until(self, entry: Entry) -> int:
        """Say when a device's newest certificate ends, seconds since 1970; 0 where it has none from here.

        Raises:
            ConfigInvalid: its file is damaged.
        """
        from agent.fleet.identity import authority, certificates

        found = authority.issued(self._folder, entry.name) if entry.serial else []
        return int(certificates.ends(found[0]).timestamp()) if found else 0

    def _vitals(self, facts: Facts, payload: bytes) -> Facts:
        verifier = self._keys.verifier(facts.device)
        return with_vitals(facts, vitals.decode(payload, verifier, fleet=self._fleet, device=facts.device))

    def _reported(self, facts: Facts, payload: bytes) -> Facts:
        verifier = self._keys.verifier(facts.device)
        found = reported.decode(payload, verifier, fleet=self._fleet, device=facts.device)
        return with_reported(facts, found)


def look(reader: Reader, settings: LinkSettings, fleet: str, entries: Sequence[Entry]) -> Iterator[Facts]:
    """Give what is known of each device; a slice of them at a time is in memory.

    Raises:
        LinkLost: the broker does not answer in time, or refuses us.
    """
    by_name = {one.name: one for one in entries}
    for part, kept in kept_in_slices(settings, fleet, list(by_name), topics.said):
        for one in map(by_name.__getitem__, part):
            facts = Facts(one.name, one.groups, certificate_until=reader.certificate_until(one))
            for ending, topic in zip(_ORDER, topics.said(fleet, one.name), strict=True):
                facts = reader.take(facts, ending, kept.get(topic, b""))
            yield facts


def sender(fleet: str, topic: str) -> tuple[str, str] | None:
    """Give the device of such a topic, and the topic's ending; None where it is none."""
    for ending in _ORDER:
        if device := topics.sender_below(fleet, topic, ending):
            return device, ending
    return None
