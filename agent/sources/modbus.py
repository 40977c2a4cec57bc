"""Registers of a Modbus unit, over TCP or on a serial line (RTU), in windows of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from agent.sources.fieldbus.tables import Register  # noqa: TC001 - pydantic reads it
from agent.sources.sampling.cutting import Resampling
from agent.types import Needs

if TYPE_CHECKING:
    from agent.sources.fieldbus.polling import Wire
    from agent.sources.sampling.sensor import Sensor


class Options(Resampling):
    """Which unit, and which of its registers."""

    host: str = Field(default="", max_length=253, pattern=r"^[A-Za-z0-9._:%-]*$")
    """Name or address of a unit, or of a gateway to it, over TCP."""
    port: int = Field(default=502, ge=1, le=65535)
    """Its TCP port."""
    device: str = Field(default="", max_length=4096, pattern=r"^(/.*)?$")
    """The serial port of a unit on a line (RTU), such as `/dev/serial/by-id/...`."""
    baud: int = Field(default=19200, ge=1200, le=4_000_000)
    """Bits a second on the line."""
    parity: Literal["none", "even", "odd"] = "even"
    """Parity of each byte on the line."""
    stop_bits: int = Field(default=1, ge=1, le=2)
    """Stop bits of each byte on the line; 2 is usual where there is no parity."""
    unit: int = Field(default=1, ge=0, le=255)
    """Number of the unit on its line, or behind its gateway."""
    registers: tuple[Register, ...] = Field(min_length=1, max_length=256)
    """What is read, in this order."""
    timeout_s: float = Field(default=1.0, ge=0.02, le=60)
    """The longest that connecting, and each answer, may take, seconds."""
    silence_s: float = Field(default=4.0, ge=0.5, le=3600)
    """Seconds without a sample (at least 2.5 samples) after which it counts as lost, and is opened again."""

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Options:
        if bool(self.host) == bool(self.device):
            raise ValueError("give host for a unit over TCP, or device for one on a serial line")
        names = [one.name for one in self.registers]
        if len({*names}) < len(names):
            raise ValueError("two registers have the same name")
        return self


def needs(options: Options) -> Needs:
    """Say what it reaches: a network, or the serial port, which may be a link."""
    return Needs(network=True) if options.host else Needs(devices=(options.device,))


def build(options: Options, *, start: int) -> Sensor:
    """Connect, or open the port; the first window is number ``start``.

    Raises:
        SourceLost: the unit does not answer there, or the port is not there or held.
        InputRejected: ``mean`` or ``std`` do not fit.
        ExtraMissing: pyserial is not installed, for a serial line.
    """
    from agent.sources.fieldbus.polling import Polling
    from agent.sources.fieldbus.registers import Plan
    from agent.sources.sampling.sensor import Sensor
    from agent.sources.sampling.windows import Windows

    windows = Windows(options, options.rate, len(options.registers))
    feed = Polling(_wire(options), Plan(options.registers), options.rate, options.timeout_s)
    hint = "Check wiring, unit, baud and parity, or raise timeout_s for a unit that is slower"
    return Sensor(feed, windows, start, silence_s=options.patience_s(options.silence_s), hint=hint)


def _wire(options: Options) -> Wire:
    if options.host:
        from agent.sources.fieldbus.tcp import Tcp

        return Tcp(options.host, options.port, options.unit, options.timeout_s)
    from agent.sources.fieldbus.rtu import Rtu

    return Rtu(options.device, options.baud, options.parity, options.stop_bits, options.unit)
