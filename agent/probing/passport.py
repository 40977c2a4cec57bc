"""The device passport: what `edge-agent probe` has found, as one JSON document; docs/devices.md tells of it.

Versioned, in a stable order, so that two of them can be compared line by line. It holds no secret, not the
device's name, and a serial number only where it was asked for.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

VERSION = 1
Stage = Literal["start", "open", "load", "run"]
"""How far a try has come: its process starts, opens the accelerator, loads a model on it, runs that once."""
Verdict = Literal["works", "opens", "idle", "wrong", "fails", "missing"]
"""It computes right answers; it opens, and there is no model for it here; it takes no operator of the model;
its answers are wrong; it fails, or its entry is wrong; its library or device is not there, or of no use."""
Line = Annotated[str, Field(max_length=4000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Reason(_Part):
    """A profile, and what it was recognised by."""

    name: str
    why: str


class BoardPart(_Part):
    """Which board this is."""

    profile: str
    """The device profile."""
    description: str
    why: str
    """What it was recognised by."""
    tested: bool
    """Whether somebody has run the agent on such a board."""
    overlays: tuple[Reason, ...] = ()
    """Accelerators that were recognised besides, and by what."""
    model: str = ""
    """The device tree's model."""
    compatible: tuple[str, ...] = ()
    """The device tree's names, the board's own first."""
    usb: tuple[str, ...] = ()
    """What is plugged in: `vendor:product name`."""
    serial: str | None = None
    """The board's serial number, where it was asked for."""


class SystemPart(_Part):
    """What the agent runs on."""

    machine: str
    """As `uname -m`."""
    kernel: str
    os: str
    """What the system calls itself (os-release)."""
    libc: str
    python: str
    agent: str
    """The agent's version."""


class CpuPart(_Part):
    """The processor."""

    model: str
    cores: int
    max_mhz: int | None
    """None where the kernel does not say."""
    features: tuple[str, ...]
    """Those that matter to the runtimes' kernels."""


class MemoryPart(_Part):
    """In units of 2^20 bytes."""

    total_mb: int
    swap_mb: int
    budget_mb: int
    """What the profile lets models have."""


class RuntimePart(_Part):
    """What runs models."""

    name: str
    """Name and version; "" when none works."""
    why: str
    """Why it is this one, or why it is none."""
    packages: dict[str, str]
    """What is installed: versions by name."""


class ZonePart(_Part):
    """A thermal zone."""

    type: str
    now_c: float | None
    """Degrees Celsius; None when it does not tell."""
    counts: bool
    """Whether the profile goes by it."""


class ThermalPart(_Part):
    """How hot it is, and may become."""

    soft_c: float
    hard_c: float
    throttled: bool | None
    """Whether the board throttles itself now; None where it does not tell."""
    zones: tuple[ZonePart, ...]


class SensorPart(_Part):
    """A sensor of power or energy (hwmon)."""

    name: str
    inputs: tuple[str, ...]
    board: bool
    """Whether the profile says that it measures the whole board."""


class CameraPart(_Part):
    """A camera that is plugged in."""

    device: str
    """What to configure it by: a name that stays, where it has one."""
    name: str
    driver: str
    formats: tuple[str, ...]
    problem: str
    """Why it cannot be used; "" when it can."""


class Tried(_Part):
    """What a try has found."""

    description: Line = ""
    """What the accelerator says of itself."""
    runtime: Line = ""
    model: Line = ""
    """The model that it ran; "" when there is none for it here."""
    delegated: tuple[int, int] | None = None
    """Operators of that model that it has taken, and all of them."""
    floats: tuple[int, int] | None = None
    """XNNPACK: the same for a model of real numbers, of which it takes all wherever it works."""
    load_ms: float | None = None
    """Loading the model, milliseconds."""
    first_ms: float | None = None
    """The first inference, milliseconds: the slowest, as kernels are made or packed."""
    next_ms: float | None = None
    """The median of the next inferences, milliseconds; a hint, no benchmark."""
    goldens: tuple[int, int] | None = None
    """Golden answers that it has met, and all of them; None for a model that has none."""
    difference: Line = ""
    """The first answer that is not the golden one."""


class DelegatePart(Tried):
    """An accelerator, or the CPU, as it was tried."""

    title: str
    """What it is called in results and status."""
    kind: str
    variant: str = ""
    """Which of a bundle's variants it runs; "" for the model that any CPU runs."""
    named: bool
    """Whether the profile names it."""
    verdict: Verdict
    stage: Stage | None = None
    """How far the try came; None when it was not tried."""
    reason: Line = ""
    """Why it is so, in one line."""
    library: str = ""
    devices: tuple[str, ...] = ()


class Passport(_Part):
    """All of it."""

    v: Literal[1] = 1
    board: BoardPart
    system: SystemPart
    cpu: CpuPart
    memory: MemoryPart
    runtime: RuntimePart
    thermal: ThermalPart
    power: tuple[SensorPart, ...]
    cameras: tuple[CameraPart, ...]
    delegates: tuple[DelegatePart, ...]
    """In order of preference: the profile's, the CPU's two ways, then those that were tried beside."""

    def text(self) -> str:
        """Give it as JSON, indented, one value a line, in the order of the fields."""
        return self.model_dump_json(indent=2) + "\n"
