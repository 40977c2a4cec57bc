"""A sensor on a serial port: lines of text, or binary frames, in windows of samples."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator, model_validator

from agent.sources.sampling.cutting import Resampling
from agent.types import Found, Needs

if TYPE_CHECKING:
    from pathlib import Path

    from agent.sources.sampling.sensor import Sensor


class Options(Resampling):
    """Which port, and how what it sends is read."""

    port: str = Field(min_length=1, max_length=4096, pattern=r"^/")
    """The device, such as `/dev/ttyUSB0`, or its stable name in `/dev/serial/by-id`."""
    baud: int = Field(default=9600, ge=50, le=4_000_000)
    """Bits a second; eight data bits, no parity, one stop bit."""
    pattern: str = Field(default="", max_length=1000)
    """A regular expression that a whole line fits; each named group is a channel, in this order."""
    frame: str = Field(default="", max_length=64)
    """What a binary frame holds after `sync`, in the letters of Python's struct; each number is a channel."""
    sync: str = Field(default="", max_length=32, pattern=r"^([0-9a-fA-F]{2})*$")
    """The bytes that each binary frame begins with, in hexadecimal."""
    checksum: Literal["none", "sum8", "xor8"] = "none"
    """A byte after each binary frame: the sum of its numbers' bytes, or their exclusive or."""
    silence_s: float = Field(default=10.0, ge=0.5, le=3600)
    """Seconds without a sample after which the sensor counts as lost, and is opened again."""

    @field_validator("pattern")
    @classmethod
    def _names_channels(cls, value: str) -> str:
        try:
            groups = re.compile(value).groupindex
        except re.error as error:
            raise ValueError(f"it is no regular expression: {error}") from error
        if value and not groups:
            raise ValueError("it names no channel: write (?P<name>...) around each number")
        return value

    @field_validator("frame")
    @classmethod
    def _holds_numbers(cls, value: str) -> str:
        try:
            held = struct.unpack(value, bytes(struct.calcsize(value)))
        except struct.error as error:
            raise ValueError(f"it is no format of struct: {error}") from error
        if value and (not held or not all(isinstance(one, int | float) for one in held)):
            raise ValueError("it holds something else than numbers, or nothing")
        if struct.calcsize(value) > 1024:
            raise ValueError("it is longer than 1024 bytes")
        return value

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Options:
        if bool(self.pattern) == bool(self.frame):
            raise ValueError("give pattern for lines, or frame and sync for binary frames")
        if bool(self.frame) != bool(self.sync):
            raise ValueError("frame and sync go together")
        return self


def found(root: Path) -> list[Found]:
    """Give the serial ports that something may hang on, by their stable names."""
    from agent.sources.finding import ports

    return ports.found(root)


def needs(options: Options) -> Needs:
    """Say what it opens: the port. A link stays one: after a replug it may lead to another node."""
    return Needs(devices=(options.port,))


def build(options: Options, *, start: int) -> Sensor:
    """Open the port; the first window is number ``start``.

    Raises:
        SourceLost: it is not there, or held by another program.
        InputRejected: ``mean`` or ``std`` do not fit.
        ExtraMissing: pyserial is not installed.
    """
    from agent.sources.sampling import framing, serial
    from agent.sources.sampling.sensor import Sensor
    from agent.sources.sampling.windows import Windows

    reader: framing.Lines | framing.Frames
    if options.pattern:
        reader = framing.Lines(options.pattern)
    else:
        reader = framing.Frames(options.frame, bytes.fromhex(options.sync), options.checksum)
    windows = Windows(options, options.rate, reader.channels)
    feed = serial.Port(options.port, options.baud, reader)
    hint = "See that baud and the sensor's format are right, or set max_gap_s for a sensor that is slower"
    return Sensor(feed, windows, start, silence_s=options.silence_s, hint=hint)
