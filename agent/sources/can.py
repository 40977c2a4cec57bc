"""Signals of a CAN bus, by an interface of the kernel or an adapter on a serial port, in windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, field_validator, model_validator

from agent.sources.fieldbus.bitrates import BITRATES
from agent.sources.fieldbus.tables import Signal  # noqa: TC001 - pydantic reads it
from agent.sources.sampling.cutting import Resampling
from agent.types import Found, Needs

if TYPE_CHECKING:
    from pathlib import Path

    from agent.sources.fieldbus.bus import Link
    from agent.sources.fieldbus.signals import Id
    from agent.sources.sampling.sensor import Sensor


class Options(Resampling):
    """Which bus, and which of its signals."""

    channel: str = Field(min_length=1, max_length=4096, pattern=r"^(/.*|[^/\s]{1,15})$")
    """An interface, such as `can0`, or the port of an adapter that speaks slcan, such as `/dev/ttyACM0`."""
    bitrate: int = Field(default=500_000, ge=10_000, le=1_000_000)
    """Bits a second on the bus, for an adapter; an interface has its own, set with `ip link`."""
    listen_only: bool = True
    """An adapter takes no part in the bus; false, where nobody else would acknowledge messages."""
    signals: tuple[Signal, ...] = Field(min_length=1, max_length=256)
    """What is read, in this order."""
    hold_s: float = Field(default=2.0, gt=0, le=3600)
    """Seconds that a signal's last value counts; when its message stays away longer, there is no sample."""
    silence_s: float = Field(default=4.0, ge=0.5, le=3600)
    """Seconds without a sample after which the bus counts as lost, and is opened again."""

    @field_validator("bitrate")
    @classmethod
    def _adapters_have_it(cls, value: int) -> int:
        if value not in BITRATES:
            raise ValueError(f"adapters have {', '.join(map(str, BITRATES))}")
        return value

    @model_validator(mode="after")
    def _names_differ(self) -> Options:
        names = [one.name for one in self.signals]
        if len({*names}) < len(names):
            raise ValueError("two signals have the same name")
        return self


def found(root: Path) -> list[Found]:
    """Give the CAN interfaces of the kernel."""
    from agent.sources.finding import buses

    return buses.found(root)


def needs(options: Options) -> Needs:
    """Say what it opens: raw CAN sockets, or the adapter's port, which may be a link."""
    return Needs(devices=(options.channel,)) if options.channel.startswith("/") else Needs(can=True)


def build(options: Options, *, start: int) -> Sensor:
    """Open the bus; the first window is number ``start``.

    Raises:
        SourceLost: it is not there, or the adapter is held by another program.
        InputRejected: ``mean`` or ``std`` do not fit.
        ExtraMissing: pyserial is not installed, for an adapter.
    """
    import time

    from agent.sources.fieldbus.bus import Bus
    from agent.sources.fieldbus.signals import Signals
    from agent.sources.sampling.sensor import Sensor
    from agent.sources.sampling.windows import Windows

    windows = Windows(options, options.rate, len(options.signals))
    signals = Signals(options.signals, options.hold_s, time.monotonic_ns())
    feed = Bus(_link(options, signals.ids), signals)
    hint = "Check id, start and length of the signals; raise hold_s for messages that come more seldom"
    return Sensor(feed, windows, start, silence_s=options.silence_s, hint=hint)


def _link(options: Options, ids: list[Id]) -> Link:
    if not options.channel.startswith("/"):
        from agent.sources.fieldbus.socketcan import SocketCan

        return SocketCan(options.channel, ids)
    from agent.sources.fieldbus.slcan import Slcan

    return Slcan(options.channel, options.bitrate, listen_only=options.listen_only)
