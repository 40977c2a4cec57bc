"""A delegate whose device a test resets, as an installed distribution that real programs find."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

METADATA = "Metadata-Version: 2.1\nName: resettable\nVersion: 1\n"
ENTRY_POINTS = "[edge_agent.delegates]\nresettable = resettable_delegate\n"


class Options(BaseModel):
    """How its reset goes: "done", "not", "hang" or "fail"; ``note`` is written first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    how: str = "done"
    note: str = ""


class Resettable:
    """Has a device that can be reset, and no more."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def reset(self) -> bool:
        if self._options.note:
            native = [name for name in ("numpy", "cv2", "ai_edge_litert") if name in sys.modules]
            Path(self._options.note).write_text(f"reset with {native}")
        if self._options.how == "hang":
            time.sleep(3600)
        if self._options.how == "fail":
            raise PermissionError(13, "Permission denied", "/dev/bus/usb/002/003")
        return self._options.how == "done"


def build(options: Options) -> Resettable:
    return Resettable(options)


def installed(folder: Path) -> str:
    """Install it for the programs that are started with the Python whose path is given."""
    from tests.simulators.plugin_installing import install  # only here: what is installed has no tests

    return install(folder, __file__, METADATA, ENTRY_POINTS)
