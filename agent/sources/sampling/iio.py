"""What a channel of Industrial I/O means: Documentation/ABI/testing/sysfs-bus-iio of the kernel.

``X_input`` holds the value in the unit of its kind; ``X_raw`` needs (raw + offset) * scale, where both stand
in files of the channel's own or of all channels of its kind.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agent.errors import SourceLost
from agent.sources.sampling.lookup import text
from agent.sources.sampling.sysfs import Attribute

if TYPE_CHECKING:
    from pathlib import Path


def attribute(folder: Path, channel: str) -> Attribute:
    """Find the file of a channel, and what its number means.

    Raises:
        SourceLost: the device has no such channel, or its scale is no number.
    """
    if (folder / f"{channel}_input").exists():
        return Attribute(folder / f"{channel}_input", 1.0)
    raw = folder / f"{channel}_raw"
    if not raw.exists():
        endings = (path.name for path in sorted(folder.glob("in_*_raw")))
        there = ", ".join(name.removesuffix("_raw") for name in endings)[:300] or "none"
        raise SourceLost("open sensor", folder.name, f"it has no {channel}", f"It has: {there}")
    return Attribute(raw, *scaling(folder, channel))


def scaling(folder: Path, channel: str) -> tuple[float, float]:
    """Give what a channel's raw number means: the scale, and the offset that is added before.

    Raises:
        SourceLost: one of them is no number.
    """
    return _shared(folder, channel, "scale", 1.0), _shared(folder, channel, "offset", 0.0)


def _shared(folder: Path, channel: str, what: str, default: float) -> float:
    """Read the channel's own number, or that of all of its kind: in_accel_x_scale, else in_accel_scale."""
    kind = re.sub(r"(_[a-z]|[0-9]+)$", "", channel)
    for name in (f"{channel}_{what}", f"{kind}_{what}"):
        if told := text(folder / name):
            try:
                return float(told)
            except ValueError as error:
                hint = "Look at the file; its driver may be at fault"
                raise SourceLost(
                    "open sensor", folder.name, f"{name} is no number: {told[:40]!r}", hint
                ) from error
    return default
