"""A Raspberry Pi's camera, through the pipe of ``rpicam-vid``, which was called ``libcamera-vid`` before."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.sources.pictures.flow import FlowSource
from agent.types import Command, Found, Needs

PROGRAMS = ("rpicam-vid", "libcamera-vid")
"""What it is called, since Debian 12 and before."""
_CODECS = {"MJPG": "mjpeg", "YU12": "yuv420"}
_OURS = (
    "--timeout", "-t", "--nopreview", "-n", "--codec", "--flush", "--camera", "--width", "--height",
    "--framerate", "--output", "-o", "--verbose", "-v", "--segment", "--split", "--circular", "--listen",
)  # fmt: skip
"""What we tell it ourselves, and what would put the pictures elsewhere."""
_NODES = ("media*", "video*", "v4l-subdev*", "dma_heap")
"""What libcamera opens in /dev: the sensor, the image processor, memory for pictures."""
_HINTS = {
    "no cameras available": "Connect a camera, and see that rpicam-hello --list-cameras lists it",
    "selected camera is not available": "Choose one that rpicam-hello --list-cameras lists, the first is 0",
    "in use by another process": "Stop the other program; a camera serves one at a time",
    "failed to acquire camera": "Stop the other program; a camera serves one at a time",
    "resource busy": "Stop the other program; a camera serves one at a time",
    "permission denied": "Let this user open /dev/video*, /dev/media* and /dev/dma_heap: the group video",
    "unrecognised option": "Correct arguments: this version does not know one of them",
    "": "Run the same program by hand: it says more",
}
_INSTALL = "Install it: sudo apt install rpicam-apps-lite"


class Options(BaseModel):
    """Which camera, and what it shall give."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    camera: int = Field(default=0, ge=0, le=63)
    """Which one, as `rpicam-hello --list-cameras` counts them."""
    width: int = Field(default=640, ge=64, le=8192)
    """Width of a frame, pixels; for `YU12` a multiple of 64, as other rows are padded."""
    height: int = Field(default=480, ge=64, le=8192)
    """Height of a frame, pixels; even."""
    fps: float = Field(default=15.0, ge=0.1, le=240)
    """Frames a second."""
    format: Literal["MJPG", "YU12"] = "MJPG"
    """What comes through the pipe: JPEGs, or raw frames, which cost no compression but more copying."""
    arguments: tuple[Annotated[str, Field(max_length=4096)], ...] = Field(default=(), max_length=64)
    """More for the program, such as `["--rotation", "180", "--shutter", "10000"]`."""
    program: str = Field(default="", max_length=4096)
    """The program's name or path; empty: `rpicam-vid`, or where there is none `libcamera-vid`."""
    silence_s: float = Field(default=5.0, ge=0.5, le=25)
    """Seconds without a whole frame after which the camera counts as lost, and it is started again."""

    @model_validator(mode="after")
    def _can_be_told(self) -> Options:
        if self.height % 2 or self.width % (64 if self.format == "YU12" else 2):
            raise ValueError("height is even, and so is width; with YU12 width is a multiple of 64")
        taken = [
            one for one in self.arguments if one.partition("=")[0] in _OURS or one.startswith(("-t", "-o"))
        ]
        if taken:
            raise ValueError(
                f"{taken[0]} is not for arguments: the agent sets it, or it needs another output"
            )
        if any("\0" in one for one in (*self.arguments, self.program)):
            raise ValueError("no argument has a NUL in it")
        return self


def command(options: Options, program: str) -> tuple[str, ...]:
    """Give all that is run."""
    return (
        program, "--timeout", "0", "--nopreview", "--verbose", "0", "--flush",
        "--camera", str(options.camera), "--codec", _CODECS[options.format],
        "--width", str(options.width), "--height", str(options.height), "--framerate", f"{options.fps:g}",
        "--output", "-", *options.arguments,
    )  # fmt: skip


def found(root: Path) -> list[Found]:
    """Give the cameras on the ribbon cable, by their sensors' drivers."""
    from agent.sources.finding import ribbon

    return ribbon.found(root)


def needs(options: Options) -> Needs:
    """Say what is started for it, and what that opens."""
    devices = sorted(str(found) for pattern in _NODES for found in Path("/dev").glob(pattern))
    theirs = Needs(devices=tuple(devices), hotplug=True)
    named = (options.program,) if options.program else PROGRAMS
    return Needs(programs=tuple(Command(command(options, program), theirs) for program in named))


def build(options: Options, *, start: int) -> FlowSource:
    """Start the program, and wait for its first bytes; the first frame given is number ``start``.

    Raises:
        ExtraMissing: it is not installed.
        SourceLost: it ends, or gives nothing: there is no camera, or another program has it.
    """
    from agent.sources._program import Program
    from agent.sources._quiet import quiet
    from agent.sources.pictures.unpack import unpacker

    quiet()
    there = (one for one in PROGRAMS if shutil.which(one))
    program = options.program or next(there, PROGRAMS[0])
    names = ("read camera", f"{Path(program).name} {options.camera}")
    run = Program(command(options, program), op=names[0], subject=names[1], install=_INSTALL, hints=_HINTS)
    hint = "See that the camera's cable is firm, or raise silence_s for a camera that is slower"
    unpack = unpacker(options.format, options.width, options.height)
    source = FlowSource(run, unpack, start, options.silence_s, names=names, hints=(hint, _HINTS[""]))
    source.begin()
    return source
