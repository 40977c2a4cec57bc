"""A link that is quick to come back, for tests against a broker on the loopback."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent.link.mqtt import Link
from agent.link.settings import LinkSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulators.ear import Ear

QUICK_S = 0.5
"""How long to wait for answers where none comes. Others have all the time of a busy machine."""
IMPATIENT = LinkSettings(
    host="127.0.0.1",
    port=0,
    client_id="device",
    protocol="3.1.1",
    backoff_base_s=0.01,
    backoff_cap_s=0.05,
    refused_s=0.05,
)


@contextmanager
def link_to(port: int, ear: Ear, **settings: Any) -> Iterator[Link]:
    """Start a link that subscribes to down/#; its thread must live to the end, and no longer."""
    link = Link(replace(IMPATIENT, port=port, **settings), post=ear.post, subscriptions=[("down/#", 1)])
    link.start()
    try:
        yield link
        assert link.alive
    finally:
        link.close(0.5)
        assert not link.alive
