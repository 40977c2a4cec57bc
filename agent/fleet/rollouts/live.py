"""The devices of a rollout at a broker: what they report, how they do, and what is published for them.

What the broker keeps is asked for in slices of exact topics, because a broker drops what it cannot queue.
What comes then is heard on the fleet's topics; of devices that take no part nothing is read.
"""

from __future__ import annotations

import functools
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from agent.documents import reported as reports
from agent.documents import vitals as doings
from agent.errors import ConfigInvalid, MessageInvalid, Retryable
from agent.fleet import states
from agent.fleet.kept import kept_in_slices, kept_of
from agent.fleet.keys import DeviceKeys
from agent.fleet.repository import desired
from agent.fleet.repository.repository import opened
from agent.fleet.rollouts.seams import View
from agent.fleet.talk import Talk
from agent.link import topics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent.documents.desired import Desired
    from agent.documents.reported import Reported
    from agent.documents.vitals import Vitals
    from agent.fleet.rollouts.ground import Keys, Place

_AWAY_S = 120.0
_AT_ONCE = 2000
_DRAIN_S = 0.001


class LiveFleet:
    """Some devices of a fleet; to be entered.

    Args:
        place: where to work.
        devices: their names, at least one.
        keys: to publish with; None only looks.

    Attributes:
        refused: what was told in a device's name and does not count, by device.
    """

    def __init__(self, place: Place, devices: Sequence[str], keys: Keys | None = None) -> None:
        self._place, self._devices, self.keys = place, devices, keys
        fleet = place.fleet
        self._topics: dict[str, tuple[Callable[[str, bytes], None], str]] = {}
        takes = self._state, self._vitals_of, self._reported
        for name in devices:
            self._topics |= {
                topic: (take, name) for topic, take in zip(topics.said(fleet, name), takes, strict=True)
            }
        listen = (topics.all_reported(fleet), topics.all_vitals(fleet), topics.all_states(fleet))
        self._talk = Talk(place.settings, listen)
        self._proving = DeviceKeys(place.folder, unsigned=place.unsigned)
        self._seen: dict[str, int] = {}
        self._reports: dict[str, Reported] = {}
        self._vitals: dict[str, Vitals] = {}
        self._online: set[str] = set()
        self.refused: dict[str, str] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._talk)
            self._talk.connected()
            self.refresh(self._devices)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def view(self) -> View:
        """What is known now."""
        return View(self._reports, self._vitals, self._online, self.refused)

    def look(self, timeout_s: float) -> None:
        """Take in what came; wait so long for something, at most.

        Raises:
            LinkLost: the broker refuses us.
        """
        message = self._talk.next(timeout_s)
        for _ in range(_AT_ONCE):
            if message is None:
                return
            self._take(message.topic, message.payload)
            message = self._talk.next(_DRAIN_S)
        if message is not None:
            self._take(message.topic, message.payload)

    def refresh(self, devices: Sequence[str]) -> None:
        """Ask what the broker keeps of some devices.

        Raises:
            LinkLost: the broker is away.
        """
        for _, kept in kept_in_slices(self._place.settings, self._place.fleet, devices, topics.said):
            for topic, payload in kept.items():
                self._take(topic, payload)

    def latest(self, devices: Sequence[str]) -> Mapping[str, Desired]:
        """Give the newest desired state of each device, of those that folder and broker have.

        Raises:
            LinkLost: the broker is away.
            MessageInvalid: what was sent last from this folder is damaged.
        """
        fleet, folder = self._place.fleet, self._place.folder
        verifiers = self.keys.verifiers if self.keys else ()
        kept = kept_of(self._place.settings, fleet, devices, topics.down_desired)
        found: dict[str, Desired] = {}
        for name in devices:
            theirs, _ = desired.read(kept.get(name), verifiers, fleet, name)
            both = [one for one in (desired.sent(folder, fleet, name), theirs) if one is not None]
            if both:
                found[name] = max(both, key=lambda one: one.generation)
        return found

    def publish(self, wishes: Sequence[Desired]) -> None:
        """Keep desired states durably, have the broker retain them; all is confirmed when this returns.

        Raises:
            Retryable: the broker is away for too long, somebody else is at work in the folder, or has
                published for one of the devices since ``latest``.
            AgentError: the disk refuses.
        """
        if not wishes:
            return
        if self.keys is None:
            raise RuntimeError("who only looks publishes nothing")
        folder, signer = self._place.folder, self.keys.signer
        with opened(folder, self._place.passphrase):
            for one in wishes:
                self._check_newest(one)
            self._talk.send(
                (
                    (
                        topics.down_desired(one.fleet, one.device),
                        functools.partial(desired.keep, folder, one, signer),
                    )
                    for one in wishes
                ),
                _AWAY_S,
            )

    def _check_newest(self, wish: Desired) -> None:
        """Write over nothing that was published from here meanwhile: no generation has two contents."""
        newest = desired.sent(self._place.folder, wish.fleet, wish.device)
        if newest is not None and newest != wish and newest.generation >= wish.generation:
            problem = f"generation {newest.generation} was published for it meanwhile"
            raise Retryable("publish for", wish.device, problem)

    def _take(self, topic: str, payload: bytes) -> None:
        """Read what was told of one of our devices, once."""
        take, name = self._topics.get(topic, (None, ""))
        if take is None or not payload or self._seen.get(topic) == hash(payload):
            return
        self._seen[topic] = hash(payload)
        try:
            take(name, payload)
        except (MessageInvalid, ConfigInvalid) as error:
            self.refused[name] = error.problem

    def _reported(self, name: str, payload: bytes) -> None:
        """Take a report that is no older than the last: whoever keeps messages could play one back."""
        found = reports.decode(payload, self._proving.verifier(name), fleet=self._place.fleet, device=name)
        last = self._reports.get(name)
        if last and (found.generation < last.generation or found.audit.seq < last.audit.seq):
            raise MessageInvalid("read", "reported state", "it is older than the last one")
        self._reports[name] = found

    def _vitals_of(self, name: str, payload: bytes) -> None:
        found = doings.decode(payload, self._proving.verifier(name), fleet=self._place.fleet, device=name)
        last = self._vitals.get(name)
        if last and found.synced and last.synced and found.at < last.at:
            raise MessageInvalid("read", "vitals", "they are older than the last ones")
        self._vitals[name] = found

    def _state(self, name: str, payload: bytes) -> None:
        if states.decode(payload).online:
            self._online.add(name)
        else:
            self._online.discard(name)
