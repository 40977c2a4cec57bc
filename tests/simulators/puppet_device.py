"""A device that reports what a test tells it to."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent.documents import desired, reported
from agent.documents.reported import Reported, Serving, Standing
from agent.link import topics
from agent.link.mqtt import Link
from agent.link.settings import LinkMessage, LinkPublished, LinkUp
from agent.trust.signing import Signer
from tests.simulators.ear import Ear
from tests.simulators.links import IMPATIENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.documents.desired import Desired


class PuppetDevice:
    """Hears its desired state, and says what it is told to say."""

    def __init__(self, link: Link, ear: Ear, name: str, signer: Signer | None) -> None:
        self._link = link
        self._ear = ear
        self.name = name
        self._signer = signer

    def wish(self) -> Desired:
        """Give the next desired state that comes, unproven."""
        payload = self._ear.wait(LinkMessage).payload
        return desired.decode(payload, None, fleet="demo", device=self.name)

    def online(self) -> None:
        """Wait until the link is back."""
        self._ear.wait(LinkUp)

    def report(self, generation: int, **pipelines: Standing) -> None:
        """Report, and wait until the broker has it."""
        self.say(Reported(fleet="demo", device=self.name, generation=generation, at=1, pipelines=pipelines))

    def say(self, found: Reported) -> None:
        payload = reported.encode(found, self._signer)
        self._link.publish(topics.up_reported("demo", self.name), payload, retain=True)
        self._ear.wait(LinkPublished)


def standing(wish: Desired, pipeline: str, state: Any, **more: Any) -> Standing:
    """Say where a pipeline stands with what is wanted of it."""
    wanted = wish.models[pipeline]
    if state == "active":
        more.setdefault("serving", Serving(name=wanted.name, version=wanted.version, bundle="0" * 64))
    return Standing(state=state, wanted=wanted, generation=wish.generation, **more)


@contextmanager
def puppet(port: int, name: str, keys: Path | None) -> Iterator[PuppetDevice]:
    """Connect a device of the fleet "demo" with its key of this folder, or none."""
    ear = Ear()
    signer = Signer.from_pem((keys / f"devices/{name}.key").read_bytes()) if keys else None
    link = Link(
        replace(IMPATIENT, port=port, client_id=f"demo-{name}"),
        post=ear.post,
        subscriptions=[(topics.down_desired("demo", name), 1)],
    )
    link.start()
    try:
        ear.wait(LinkUp)
        yield PuppetDevice(link, ear, name, signer)
    finally:
        link.close(1)
