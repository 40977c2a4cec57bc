"""What machine this is, in a few words: results are compared with others of the same kind."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_MOST = 100


def processor() -> str:
    """Name the processor as the kernel does; x86 calls it so, boards say what they are."""
    for path, key in ((Path("/proc/cpuinfo"), "model name"), (Path("/proc/device-tree/model"), "")):
        try:
            text = path.read_text(errors="replace")
        except OSError:
            text = ""
        for line in text.splitlines():
            name, _, value = line.partition(":") if key else ("", "", line)
            if name.strip() == key and value.strip(" \0"):
                return value.strip(" \0")[:_MOST]
    return platform.machine()


def cores() -> int:
    """Count the cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def machine() -> str:
    """Name the processor, and how many of its cores there are for us."""
    return f"{processor()}, {cores()} cores, {platform.machine()}"
