"""Signals of a CAN bus, by an interface of the kernel or an adapter on a serial port, in windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from agent.errors import ExtraMissing
from agent.sources.fieldbus.bitrates import BITRATES
from agent.sources.sampling.cutting import Finite, Resampling
from agent.types import Found, Needs

if TYPE_CHECKING:
    from pathlib import Path

    from agent.sources.fieldbus.bus import Link
    from agent.sources.fieldbus.signals import Id
    from agent.sources.sampling.sensor import Sensor

_MOST_BITS = 512
"""Of a message's data, in CAN FD."""


class Signal(BaseModel):
    """A number within a message, which is a channel. The keys are those of a DBC file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str = Field(min_length=1, max_length=60)
    """What it is."""
    id: int = Field(ge=0, le=0x1FFFFFFF)
    """The message's number."""
    extended: bool = False
    """Whether that number has 29 bits."""
    start: int = Field(ge=0, lt=_MOST_BITS)
    """Its first bit: the lowest in little order, the highest in big order, counted as in DBC files."""
    length: int = Field(ge=1, le=64)
    """How many bits it has."""
    order: Literal["little", "big"] = "little"
    """Which byte comes first: little is Intel's order, big Motorola's."""
    signed: bool = False
    """Whether the highest bit is a sign."""
    scale: Finite = 1.0
    """What the number is multiplied by."""
    offset: Finite = 0.0
    """What is added after that."""

    @model_validator(mode="after")
    def _is_possible(self) -> Signal:
        if self.id > 0x7FF and not self.extended:
            raise ValueError("a number above 0x7ff has 29 bits: say extended = true")
        first = self.start if self.order == "little" else self.start - self.start % 8 + 7 - self.start % 8
        if first + self.length > _MOST_BITS:
            raise ValueError(f"it ends beyond the {_MOST_BITS // 8} bytes of the longest message")
        return self


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
    try:
        from agent.sources.fieldbus.slcan import Slcan
    except ModuleNotFoundError as error:
        if error.name != "serial":
            raise
        hint = "Install the extra: pip install 'edge-inference-agent[serial]'"
        raise ExtraMissing("open CAN adapter", options.channel, "pyserial is not installed", hint) from error
    return Slcan(options.channel, options.bitrate, listen_only=options.listen_only)
