"""Sound that another program writes into a named pipe, or raw samples in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from agent.errors import InputRejected
from agent.sources._files import check_file
from agent.sources._pace import Pace
from agent.sources.sampling import sound
from agent.types import Needs

if TYPE_CHECKING:
    from agent.types import Source

_OP = "open samples"


class Options(sound.Sound):
    """Which pipe or file is read, and what is in it."""

    path: str = Field(min_length=1, max_length=4096)
    """The named pipe, as `mkfifo` makes it, or a file."""
    realtime: bool = False
    """Keep the pace of a file's windows and lose what is not read in time. A pipe has its own pace."""
    silence_s: float = Field(default=4.0, ge=0.5, le=3600)
    """Seconds without a sample after which the pipe's writer counts as lost, and it is opened again."""


def needs(options: Options) -> Needs:
    """Say what it opens: the file, or the pipe, which may be made later."""
    return Needs(read=(options.path,)) if Path(options.path).is_file() else Needs(devices=(options.path,))


def build(options: Options, *, start: int) -> Source:
    """Open the pipe, whether or not somebody writes already, or the file; ``start`` is the first window.

    Raises:
        SourceLost: there is no such pipe; it may be made later.
        InputRejected: the file has no samples, or ``mean`` or ``std`` do not fit.
    """
    from agent.sources._fifo import Fifo
    from agent.sources.sampling.pcm import Pcm

    windows = sound.windows(options)
    if Path(options.path).is_file():
        return _recording(options, start)
    stream = Fifo(options.path)
    feed = Pcm(options.path, stream, options.format, options.channels, options.capture_rate)
    return sound.sensor(feed, windows, start, silence_s=options.silence_s)


def _recording(options: Options, start: int) -> Source:
    from agent.sources.sampling import pcm, wav
    from agent.sources.sampling.recording import Recording

    width, is_float = pcm.FORMATS[options.format]
    size = check_file(_OP, options.path)
    count = size // (width * options.channels)
    if count == 0:
        raise InputRejected(_OP, options.path, f"its {size} bytes are no sample", "Check format and channels")
    form = wav.Layout(options.capture_rate, options.channels, width, is_float, 0, count, count)
    file = Path(options.path).open("rb")  # noqa: SIM115 - the source closes it
    return Recording(
        options.path,
        file,
        wav.read_samples(file, form),
        sound.windows(options),
        pace=Pace(options.step / options.made if options.realtime else 0.0),
        live=options.realtime,
        start=start,
    )
