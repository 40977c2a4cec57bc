"""The kernel's hardware monitors: temperatures, voltages, currents, powers, fans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from agent.sources.sampling.cutting import Resampling
from agent.types import Found, Needs

if TYPE_CHECKING:
    from agent.sources.sampling.sensor import Sensor

Channel = Annotated[
    str, StringConstraints(pattern=r"^(temp|in|curr|power|energy|humidity|fan|freq)[0-9]{1,3}$")
]
_THOUSANDTHS, _MILLIONTHS = 1e-3, 1e-6
_SCALES = {"fan": 1.0, "freq": 1.0, "power": _MILLIONTHS, "energy": _MILLIONTHS}
"""Units of Documentation/hwmon/sysfs-interface of the kernel; what is not here counts thousandths."""


class Options(Resampling):
    """Which monitor, and which of its channels."""

    device: str = Field(min_length=1, max_length=200, pattern=r"^[^/]+$")
    """Its name, such as `k10temp`, or `hwmon0`; the name stays the same when the kernel counts anew."""
    channels: tuple[Channel, ...] = Field(min_length=1, max_length=64)
    """What is read, in this order, such as `temp1` or `in0`."""
    silence_s: float = Field(default=10.0, ge=0.5, le=3600)
    """Seconds without a sample (at least 2.5 samples) after which it counts as lost, and is opened again."""
    root: str = Field(default="/sys/class/hwmon", min_length=1)
    """The folder that the kernel shows monitors in."""


def found(root: Path) -> list[Found]:
    """Give the hardware monitors, with the channels of each."""
    from agent.sources.finding import sysfs

    return sysfs.hwmon(root)


def needs(options: Options) -> Needs:
    """Say what it reads: the folder, where it is not the kernel's own, which every worker may read."""
    return Needs() if options.root.startswith("/sys/") else Needs(read=(options.root,))


def build(options: Options, *, start: int) -> Sensor:
    """Open the channels; the first window is number ``start``.

    Raises:
        SourceLost: the monitor or a channel is not there.
        InputRejected: ``mean`` or ``std`` do not fit.
    """
    from agent.sources.sampling.lookup import find_device
    from agent.sources.sampling.sensor import Sensor
    from agent.sources.sampling.sysfs import Attribute, Attributes
    from agent.sources.sampling.windows import Windows

    windows = Windows(options, options.rate, len(options.channels))
    folder = find_device(
        "open monitor", Path(options.root), options.device, "Name one of them, or load its driver"
    )
    attributes = [
        Attribute(folder / f"{one}_input", _SCALES.get(one.rstrip("0123456789"), _THOUSANDTHS))
        for one in options.channels
    ]
    feed = Attributes(options.device, attributes, options.rate)
    feed.sample()  # so that what is not there is said at once
    hint = "Look at what the file says; a monitor that is asleep may say nothing"
    return Sensor(feed, windows, start, silence_s=options.patience_s(options.silence_s), hint=hint)
