"""Sensors of the kernel's Industrial I/O: accelerometers, ADCs, light, pressure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from agent.sources.sampling.cutting import Resampling
from agent.types import Needs

if TYPE_CHECKING:
    from agent.sources.sampling.sensor import Sensor

Channel = Annotated[str, StringConstraints(pattern=r"^in_[a-z0-9_-]{1,60}$")]


class Options(Resampling):
    """Which device, and which of its channels."""

    device: str = Field(min_length=1, max_length=200, pattern=r"^[^/]+$")
    """Its name, such as `adxl345`, or `iio:device0`; the name stays the same when the kernel counts anew."""
    channels: tuple[Channel, ...] = Field(min_length=1, max_length=64)
    """What is read, in this order, such as `in_accel_x` or `in_voltage0`."""
    silence_s: float = Field(default=10.0, ge=0.5, le=3600)
    """Seconds without a sample (at least 2.5 samples) after which it counts as lost, and is opened again."""
    root: str = Field(default="/sys/bus/iio/devices", min_length=1)
    """The folder that the kernel shows devices in."""


def needs(options: Options) -> Needs:
    """Say what it reads: the folder, where it is not the kernel's own, which every worker may read."""
    return Needs() if options.root.startswith("/sys/") else Needs(read=(options.root,))


def build(options: Options, *, start: int) -> Sensor:
    """Open the channels; the first window is number ``start``.

    Raises:
        SourceLost: the device or a channel is not there.
        InputRejected: ``mean`` or ``std`` do not fit.
    """
    from agent.sources.sampling.iio import attribute
    from agent.sources.sampling.sensor import Sensor
    from agent.sources.sampling.sysfs import Attributes, find_device
    from agent.sources.sampling.windows import Windows

    windows = Windows(options, options.rate, len(options.channels))
    folder = find_device(
        "open sensor", Path(options.root), options.device, "Name one of them, or load its driver"
    )
    feed = Attributes(options.device, [attribute(folder, one) for one in options.channels], options.rate)
    feed.sample()  # so that what is not there is said at once
    hint = "Look at what the file says; dmesg tells more"
    return Sensor(feed, windows, start, silence_s=options.patience_s(options.silence_s), hint=hint)
