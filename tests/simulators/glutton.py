"""A source that eats all the memory there is, once it has given some frames; started again, it behaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from agent.sources import synthetic

if TYPE_CHECKING:
    from agent.types import Frame

METADATA = "Metadata-Version: 2.1\nName: glutton\nVersion: 1\n"
ENTRY_POINTS = "[edge_agent.sources]\nglutton = glutton\n"
"""What makes the module a plugin, once it is installed."""
_BITE = 16 << 20


class Options(BaseModel):
    """When it gets hungry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frames: int
    """So many frames it gives before."""


class Glutton:
    """Implements ``Source``.

    Attributes:
        live: it has a rate of its own.
    """

    live = True

    def __init__(self, options: Options, start: int) -> None:
        self._source = synthetic.build(synthetic.Options(width=160, height=120, fps=4), start=start)
        self._hungry_at = options.frames if start == 0 else None
        self._eaten: list[bytearray] = []

    def read(self, timeout_s: float) -> Frame | None:
        """Give a frame, or eat until there is nothing left."""
        frame = self._source.read(timeout_s)
        while self._hungry_at is not None and frame is not None and frame.seq >= self._hungry_at:
            self._eaten.append(bytearray(b"x") * _BITE)
        return frame

    def close(self) -> None:
        """Give all back."""
        self._eaten.clear()
        self._source.close()


def build(options: Options, *, start: int) -> Glutton:
    """Make it; its first frame has sequence number ``start``."""
    return Glutton(options, start)
