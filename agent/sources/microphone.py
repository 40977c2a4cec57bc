"""A microphone, or whatever else ALSA can record from, through its program arecord.

The program, not a library: what hangs in a driver hangs in a process that can be ended, and the plug-ins of
ALSA that convert rates and share devices come with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from agent.sources.sampling import sound
from agent.types import Command, Found, Needs

if TYPE_CHECKING:
    from pathlib import Path

    from agent.sources._program import Program
    from agent.sources.sampling.sensor import Sensor

_FORMATS = {"s16le": "S16_LE", "s24le": "S24_3LE", "s32le": "S32_LE", "f32le": "FLOAT_LE"}
_LIST = "arecord -L lists what there is; name one of those"
_PLUG = "Name it with plughw: in place of hw:, which converts, or see what it can: arecord --dump-hw-params"
_HINTS = {
    "busy": "Stop the program that holds it: sudo fuser -v /dev/snd/*",
    "permission denied": "Let the agent's user join the group audio",
    "no such file": _LIST,
    "invalid argument": _LIST,
    "no such device": f"Plug it in again. {_LIST}",
    "not accurate": _PLUG,
    "non available": _PLUG,
    "not available": _PLUG,
    "speed value": _PLUG,
    "": "See what arecord says by hand; dmesg tells more",
}


class Options(sound.Sound):
    """Which microphone, and how it is heard."""

    device: str = Field(default="plughw:0", max_length=200, pattern=r"^[A-Za-z0-9_][^\x00-\x1f]*$")
    """ALSA's name for it, as `arecord -L` lists them; `plughw:` converts to what is asked for."""
    silence_s: float = Field(default=4.0, ge=0.5, le=3600)
    """Seconds without a sample after which it counts as lost, and is opened again."""


def command(options: Options) -> tuple[str, ...]:
    """Give the program that listens, and all that it is given."""
    # Not -q: it would not tell that the device has another rate.
    form, channels, rate = _FORMATS[options.format], str(options.channels), str(options.capture_rate)
    return ("arecord", "-t", "raw", "-f", form, "-c", channels, "-r", rate, "-D", options.device)


def found(root: Path) -> list[Found]:
    """Give the sound cards that record."""
    from agent.sources.finding import sound

    return sound.found(root)


def needs(options: Options) -> Needs:
    """Say what it runs, and what that opens: the nodes of all sound cards.

    What is no card, but shared by other programs or a sound server, talks through sockets.
    """
    shared = not options.device.startswith(("hw:", "plughw:"))
    reached = Needs(devices=("/dev/snd",), network=shared)
    return Needs(programs=(Command(command(options), reached),))


def build(options: Options, *, start: int) -> Sensor:
    """Begin to listen; the first window is number ``start``.

    Raises:
        ExtraMissing: arecord is not installed.
        SourceLost: this machine cannot start it now. That the device is away or busy is known later.
        InputRejected: ``mean`` or ``std`` do not fit.
    """
    from agent.sources._program import Program
    from agent.sources.sampling.pcm import Pcm

    windows = sound.windows(options)
    program = Program(
        command(options),
        op="read microphone",
        subject=options.device,
        install="Install it: sudo apt-get install alsa-utils",
        hints=_HINTS,
    )
    feed = Pcm(
        options.device,
        program,
        options.format,
        options.channels,
        options.capture_rate,
        trouble=lambda: _trouble(program),
    )
    return sound.sensor(feed, windows, start, silence_s=options.silence_s)


def _trouble(program: Program) -> str:
    """Give the first line that says that samples were lost, or "".

    Raises:
        SourceLost: the device has another rate than the one asked for.
    """
    lost = ""
    for line in program.said():
        if "rate is not accurate" in line:
            raise program.lost(line)
        if "overrun" in line and not lost:
            lost = line
    return lost
