"""Devices of the fleet "demo" on one connection: each takes what is wanted of it, and reports by its mood."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from agent.documents import desired, reported, vitals
from agent.link import topics
from agent.link.mqtt import Link
from agent.link.settings import LinkMessage, LinkUp
from agent.trust.signing import Signer
from tests.simulators.links import IMPATIENT
from tests.simulators.paper_fleet import PaperFleet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.simulators.paper_fleet import Mood

_WAIT_S = 60.0


class PuppetFleet(PaperFleet):
    """What the devices have heard and served is in ``devices``, as with one on paper.

    Args:
        moods: what each does with the new model.
        keys: the operator's folder, which has the devices' keys.
        port: the broker's.
    """

    def __init__(self, moods: Mapping[str, Mood], keys: Path, port: int) -> None:
        super().__init__(moods)
        self._signers = {
            name: Signer.from_pem((keys / f"devices/{name}.key").read_bytes()) for name in self.devices
        }
        self._events: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._link = Link(
            replace(IMPATIENT, port=port, client_id="demo-puppets"),
            post=self._events.put,
            subscriptions=[(topics.down_desired("demo", name), 1) for name in self.devices],
        )
        self._thread = threading.Thread(target=self._live, name="puppets")
        self._up = threading.Event()
        self._at = 0

    def __enter__(self) -> Self:
        self._link.start()
        self._thread.start()
        assert self._up.wait(_WAIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._events.put(None)
        self._thread.join()
        self._link.close(1)

    def _live(self) -> None:
        while (event := self._events.get()) is not None:
            if isinstance(event, LinkUp):
                for name in self.devices:
                    self._say(name)
                self._up.set()
            elif isinstance(event, LinkMessage):
                name = event.topic.split("/")[4]
                one = self.devices[name]
                found = desired.decode(event.payload, None, fleet="demo", device=name)
                if one.wish is None or found.generation > one.wish.generation:
                    one.wish = found
                    one.history.append(found)
                self._say(name)

    def _say(self, name: str) -> None:
        """Report, say how it does, and that it is there."""
        self._at += 1
        one, signer = self.devices[name], self._signers[name]
        online = b'{"v": 1, "online": false}' if one.mood == "offline" else b'{"v": 1, "online": true}'
        self._link.publish(topics.up_state("demo", name), online, retain=True)
        if report := one.report():
            self._link.publish(topics.up_reported("demo", name), reported.encode(report, signer), retain=True)
        if doing := one.vitals(self._at):
            self._link.publish(topics.up_vitals("demo", name), vitals.encode(doing, signer), retain=True)


@contextmanager
def puppets(moods: Mapping[str, Mood], keys: Path, port: int) -> Iterator[PuppetFleet]:
    """Connect devices whose desired states want the old model, in generation 3."""
    with PuppetFleet(moods, keys, port) as fleet:
        yield fleet
