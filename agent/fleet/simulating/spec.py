"""What a process of a simulated fleet is told, and what it tells: JSON, one message a packet."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from agent.processes.message import Count, Message


class Spec(Message):
    """What a process simulates; it arrives in a memfd, since it holds the broker's password."""

    folder: str
    """The operator's, with the devices' keys."""
    work: str
    """A folder of its own, for what its updater fetches."""
    broker: dict[str, Any]
    """The configuration's ``[mqtt]``, the same for all."""
    names: tuple[str, ...]
    """All devices of the fleet: which of them have a fault hangs on all."""
    mine: tuple[str, ...]
    """Those of this process."""
    groups: tuple[str, ...] = ()
    faults: dict[str, float] = Field(default={})
    bad: tuple[str, ...] = ()
    """Models, each ``name@version``, that fail their proof on every device."""
    seed: int = 1
    rate: float = 1.0
    """Results a second of each device."""
    batch_s: float = 5.0
    """How long a result may wait until it is sent."""
    vitals_s: float = 60.0
    memory_kb: Count = 256
    """The most that a device keeps for the collector, units of 1,024 bytes."""
    a_second: float = 50.0
    """How many devices of this process join in a second."""
    signed: bool = True
    managed: bool = True
    """Whether the fleet has models."""


class Report(Message):
    """How the devices of a process do. ``counts`` are sums; see ``SimulatedDevice.counts``."""

    devices: Count
    """Those that have joined."""
    counts: dict[str, int]
    stands: dict[str, Count]
    """How many devices stand where with their models."""
    problem: str = ""
    """Why some device is not online."""
    events: dict[str, Count]
    """How often what has happened, by the events' names."""
    updates: Count
    """How often the shared updater ran."""
    cpu_s: float
    """The process's, without its updaters'."""
    rss_kb: Count
    empty_kb: Count
    """The same before the first device joined."""
    over: bool = False
    """Whether this is its last word."""
