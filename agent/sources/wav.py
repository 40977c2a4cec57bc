"""A WAV file, in windows of samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from agent.errors import InputRejected
from agent.sources._files import check_file
from agent.sources._pace import Pace
from agent.sources.sampling.cutting import Cutting
from agent.types import Needs

if TYPE_CHECKING:
    from agent.sources.sampling.recording import Recording
    from agent.sources.sampling.wav import Layout

OP = "open WAV file"
_STRETCH = 64
"""How many times more samples than the file has may be made of it."""


class Options(Cutting):
    """Which file, and how it is cut."""

    path: str = Field(min_length=1)
    """The file: linear PCM of 8, 16, 24 or 32 bits, or float."""
    rate: float | None = Field(default=None, gt=0, le=1_000_000)
    """Samples a second in the windows, interpolated; without it, the file's own."""
    realtime: bool = False
    """Keep the pace of the windows and lose what is not read in time, as a microphone would."""


def needs(options: Options) -> Needs:
    """Say what it reads: the file."""
    return Needs(read=(options.path,))


def build(options: Options, *, start: int) -> Recording:
    """Open the file; the first window given is number ``start``.

    Raises:
        InputRejected: there is no such file, or it is no WAV file that can be read.
    """
    from agent.sources.sampling import wav
    from agent.sources.sampling.recording import Recording
    from agent.sources.sampling.windows import Windows

    check_file(OP, options.path)
    file = Path(options.path).open("rb")  # noqa: SIM115 - the source closes it
    try:
        form = wav.layout(file)
        rate = _rate(options, form)
        whole = options.model_copy(update={"max_gap_s": 2.5 / min(rate, form.rate)})  # it has no gaps
        windows = Windows(whole, rate, form.channels)
    except InputRejected:
        file.close()
        raise
    except ValueError as error:
        file.close()
        hint = "Convert it: ffmpeg -i FILE -c:a pcm_s16le out.wav"
        raise InputRejected(OP, options.path, str(error), hint) from error
    pace = Pace(options.step / rate if options.realtime else 0.0)
    chunks = wav.read_samples(file, form)
    short = f", ends early: {form.count} of {form.stated} samples" if form.count < form.stated else ""
    return Recording(
        options.path, file, chunks, windows, pace=pace, live=options.realtime, start=start, remark=short
    )


def _rate(options: Options, form: Layout) -> float:
    rate = options.rate or float(form.rate)
    if rate > _STRETCH * form.rate:
        problem = f"its {form.rate} samples a second cannot become {rate:g}"
        raise InputRejected(OP, options.path, problem, "Lower rate")
    if form.count == 0:
        raise InputRejected(OP, options.path, "it has no samples", "Record it again")
    return rate
