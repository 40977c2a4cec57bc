"""The way up, where there is one: without a broker nothing of MQTT, TLS or delivery is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.plan import Plan
    from agent.store.thread import Store
    from agent.uplink.uplink import Uplink


def uplink(plan: Plan, store: Store, post: Callable[[object], None]) -> Uplink | None:
    """Make what ``agent.uplink.uplink.Uplink`` makes of the same; None without a broker."""
    if plan.mqtt is None:
        return None
    from agent.uplink.uplink import Uplink

    return Uplink(plan, store, post)
