"""Sensors of the kernel's Industrial I/O: accelerometers, ADCs, light, pressure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from agent.errors import InputRejected
from agent.sources.sampling import lookup
from agent.sources.sampling.cutting import Resampling
from agent.types import Found, Needs

if TYPE_CHECKING:
    from agent.sources.sampling.sensor import Sensor

_WAKES = 20
"""Times a second that a reader of a buffer wakes for what was collected, where the device is faster."""

Channel = Annotated[str, StringConstraints(pattern=r"^in_[a-z0-9_-]{1,60}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[^/\x00-\x1f]{0,100}$")]


class Options(Resampling):
    """Which device, and which of its channels."""

    device: str = Field(min_length=1, max_length=200, pattern=r"^[^/]+$")
    """Its name, such as `adxl345`, or `iio:device0`; the name stays the same when the kernel counts anew."""
    channels: tuple[Channel, ...] = Field(min_length=1, max_length=64)
    """What is read, in this order, such as `in_accel_x` or `in_voltage0`."""
    buffered: bool = False
    """Have the kernel collect samples at the device's own pace, in place of asking for each."""
    frequency: float | None = Field(default=None, gt=0, le=1_000_000)
    """Buffered: samples a second that the device is told to take; without it, it stays as it is."""
    trigger: Name = ""
    """Buffered: the name of what tells the device to take a sample; empty: it stays as it is."""
    length: int = Field(default=4096, ge=2, le=1 << 20)
    """Buffered: samples that the kernel keeps for a reader who is late."""
    silence_s: float = Field(default=10.0, ge=0.5, le=3600)
    """Seconds without a sample (at least 2.5 samples) after which it counts as lost, and is opened again."""
    root: str = Field(default="/sys/bus/iio/devices", min_length=1)
    """The folder that the kernel shows devices in."""
    nodes: str = Field(default="/dev", min_length=1)
    """Buffered: the folder that their nodes are in."""

    @model_validator(mode="after")
    def _buffer_is_meant(self) -> Self:
        if not self.buffered and (self.frequency is not None or self.trigger):
            raise ValueError("frequency and trigger are for buffered = true")
        if len(set(self.channels)) < len(self.channels):
            raise ValueError("a channel is named twice")
        return self


def found(root: Path) -> list[Found]:
    """Give the devices of Industrial I/O, with the channels of each."""
    from agent.sources.finding import sysfs

    return sysfs.iio(root)


def needs(options: Options) -> Needs:
    """Say what it reads: the folder, where it is not the kernel's own, which every worker may read.

    With a buffer it writes settings of the device, and opens its node.
    """
    read = () if options.root.startswith("/sys/") else (options.root,)
    found = lookup.devices(Path(options.root), options.device) if options.buffered else []
    mine = (path for one in found for path in (os.path.realpath(one), f"{options.nodes}/{one.name}"))
    return Needs(read=read, devices=tuple(mine))


def build(options: Options, *, start: int) -> Sensor:
    """Open the channels; the first window is number ``start``.

    Raises:
        SourceLost: the device or a channel is not there, or the device does not obey.
        InputRejected: ``mean`` or ``std`` do not fit.
    """
    from agent.sources.sampling.iio import attribute
    from agent.sources.sampling.sensor import Sensor
    from agent.sources.sampling.sysfs import Attributes
    from agent.sources.sampling.windows import Windows

    hint = "Name one of them, or load its driver"
    folder = lookup.find_device("open sensor", Path(options.root), options.device, hint)
    if options.buffered:
        return _buffered(folder, options, start)
    windows = Windows(options, options.rate, len(options.channels))
    feed = Attributes(options.device, [attribute(folder, one) for one in options.channels], options.rate)
    feed.sample()  # so that what is not there is said at once
    hint = "Look at what the file says; dmesg tells more"
    return Sensor(feed, windows, start, silence_s=options.patience_s(options.silence_s), hint=hint)


def _buffered(folder: Path, options: Options, start: int) -> Sensor:
    """Have the device collect samples; how many numbers one of them has is known only then."""
    from agent.sources.sampling.iio_buffer import Buffer
    from agent.sources.sampling.iio_settings import Wanted
    from agent.sources.sampling.sensor import Sensor
    from agent.sources.sampling.windows import Windows

    watermark = max(1, round((options.frequency or options.rate) / _WAKES))
    wanted = Wanted(options.channels, options.frequency, options.trigger, options.length, watermark)
    feed = Buffer(folder, f"{options.nodes}/{folder.name}", options.device, wanted)
    try:
        windows = Windows(options, options.rate, feed.channels)
    except InputRejected:
        feed.close()
        raise
    hint = "Give it a larger length or a lower frequency when samples are lost, or set max_gap_s"
    return Sensor(feed, windows, start, silence_s=options.silence_s, hint=hint, date=feed.date)
