"""Frames that are piped into ``edge-agent infer``: raw, or one JPEG after the other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from agent.errors import InputRejected, SourceEnded, SourceLost
from agent.sources.pictures.flow import FlowSource, RawOptions

if TYPE_CHECKING:
    from agent.types import Frame


class Options(RawOptions):
    """What comes in."""


class StdinSource(FlowSource):
    """Implements ``Source``. It ends with its input, and whoever writes waits for it."""

    @property
    def live(self) -> bool:
        """False: nothing is lost, since a pipe is full at some time."""
        return False

    def read(self, timeout_s: float) -> Frame | None:
        """Give the next frame: uint8 (height, width, 3), BGR, dated when its last byte had come.

        Raises:
            SourceEnded: the input has come to its end.
            SourceLost: what comes is no JPEG, or too large, or has ended before the first frame was whole.
            InputRejected: this JPEG is damaged; its sequence number is used up.
        """
        try:
            return super().read(timeout_s)
        except SourceEnded:
            if not self.count:
                raise SourceLost(
                    *self._names, "it has ended without one whole frame", self._hints[1]
                ) from None
            rest = ", and the beginning of another" if self.begun else ""
            raise SourceEnded(f"standard input: {self.count} frames{rest}") from None


def build(options: Options, *, start: int) -> StdinSource:
    """Begin to read; the first frame given is number ``start``.

    Raises:
        InputRejected: there is no input, or a worker died of raw frames: where does the next begin?
    """
    from agent.sources._quiet import quiet
    from agent.sources._stdin import OP, SUBJECT, Stdin
    from agent.sources.pictures.unpack import unpacker

    quiet()
    if start and options.format != "MJPG":
        problem = "its last reader died, and where the next raw frame begins is not known"
        raise InputRejected(OP, SUBJECT, problem, "Pipe JPEGs, which can be told apart")
    unpack = unpacker(options.format, options.width or 0, options.height or 0)
    hint = f"Check what is piped, and format: it is read as {options.format}"
    return StdinSource(Stdin(), unpack, start, math.inf, names=(OP, SUBJECT), hints=("", hint))
