"""Frames that another program writes into a named pipe: raw, or one JPEG after the other."""

from __future__ import annotations

from pydantic import Field

from agent.sources.pictures.flow import FlowSource, RawOptions
from agent.types import Needs


class Options(RawOptions):
    """Which pipe is read, and what comes out of it."""

    path: str = Field(min_length=1, max_length=4096)
    """The named pipe, as `mkfifo` makes it."""
    silence_s: float = Field(default=4.0, ge=0.5, le=3600)
    """Seconds without a whole frame after which the writer counts as lost, and the pipe is opened again."""


def needs(options: Options) -> Needs:
    """Say what it opens: the pipe, which may be made later."""
    return Needs(devices=(options.path,))


def build(options: Options, *, start: int) -> FlowSource:
    """Open the pipe, whether or not somebody writes already; the first frame given is number ``start``.

    Raises:
        SourceLost: there is no such pipe; it may be made later.
    """
    from agent.sources._fifo import Fifo
    from agent.sources._quiet import quiet
    from agent.sources.pictures.unpack import unpacker

    quiet()
    return FlowSource(
        Fifo(options.path),
        unpacker(options.format, options.width or 0, options.height or 0),
        start,
        options.silence_s,
        names=("read pipe", options.path),
        hints=(
            "Start the program that writes into it, or raise silence_s for one that is slower",
            "Check what is written into the pipe, and format",
        ),
    )
