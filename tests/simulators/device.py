"""A device in the test's own thread: a store in memory, the real delivery, the real link."""

from __future__ import annotations

import queue
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.link import topics
from agent.link.mqtt import Link
from agent.link.settings import LinkDown, LinkMessage, LinkPublished, LinkSettings, LinkUp
from agent.trust.signing import Signer, Verifier
from agent.uplink.delivery import Delivery
from tests.simulators.outbox_store import OutboxStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SETTINGS = LinkSettings("127.0.0.1", 0, "device", backoff_base_s=0.05, backoff_cap_s=0.3)


class Device:
    """Commits and delivers while ``until`` runs.

    Args:
        port: the broker's.
        settings: of the link; host and port are put in.
        keys: what ``edgectl init`` made; None sends unsigned.
    """

    def __init__(
        self,
        port: int,
        *,
        fleet: str = "demo",
        name: str = "pi-17",
        settings: LinkSettings = _SETTINGS,
        resend_s: float = 1.0,
        keys: Path | None = None,
    ) -> None:
        self.store = OutboxStore()
        self._events: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.link = Link(
            replace(settings, port=port, client_id=f"{fleet}-{name}"),
            post=self._events.put,
            subscriptions=[(topics.down_ack(fleet, name), 1)],
        )
        self.delivery = Delivery(
            self.store,
            self.link,
            fleet=fleet,
            device=name,
            resend_s=resend_s,
            signer=Signer.from_pem((keys / f"devices/{name}.key").read_bytes()) if keys else None,
            verifier=Verifier.from_pem((keys / "collector.pub").read_bytes()) if keys else None,
        )
        self.link.start()

    def close(self) -> None:
        self.link.close()
        self.store.close()

    def commit(self, count: int = 10, size: int = 0) -> None:
        """Add a block."""
        self.delivery.on_committed(self.store.commit(count, size), time.monotonic())

    @property
    def drained(self) -> bool:
        """Whether all that was committed is acknowledged."""
        return self.store.drained

    def until(self, condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Work until ``condition`` holds."""
        give_up = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < give_up, (self.delivery.status, self.store.acked, self.link.state)
            self._turn()

    def work(self, seconds: float) -> None:
        """Work for a while."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end)

    def _turn(self) -> None:
        try:
            event = self._events.get(timeout=0.02)
        except queue.Empty:
            event = None
        now = time.monotonic()
        match event:
            case LinkUp():
                self.delivery.on_link_up(event, now)
            case LinkDown():
                self.delivery.on_link_down()
            case LinkMessage():
                self.delivery.on_message(event, now)
            case LinkPublished():
                self.delivery.on_published(event, now)
        while self.store.wanted:
            self.delivery.on_leased(self.store.answer(), now)
        self.delivery.tick(now)
