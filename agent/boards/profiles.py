"""Device profiles: one TOML file a board. Pure; ``agent.boards.matching`` says which is this machine's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from agent.boards.accelerators import Accelerator
from agent.config.tables import Deadlines
from agent.errors import ConfigInvalid
from agent.validation import nul, tables

UsbId = Annotated[str, Field(pattern=r"^[0-9a-f]{4}:([0-9a-f]{4}|\*)$")]
"""Vendor and product, as `lsusb` prints them; `*` for any product."""


def _in_one_folder(pattern: str) -> str:
    """Refuse what a look would have to walk through a whole disk for, or what names nothing."""
    if "**" in pattern or not pattern.strip("/"):
        raise ValueError("it must name a file, or a pattern without **")
    return pattern


Path = Annotated[str, Field(pattern=r"^/"), AfterValidator(_in_one_folder)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Match(_Part):
    """How a board is recognised: each key that is given must fit, by any of its values.

    Values are patterns (`*`, `?` and `[...]`, as in a shell); a match that says nothing fits nothing.
    """

    machine: tuple[str, ...] = ()
    """Names that `uname -m` gives."""
    compatible: tuple[str, ...] = ()
    """What stands in the device tree's `compatible`: the board's own name first, its chip's last."""
    model: tuple[str, ...] = ()
    """The device tree's `model`."""
    usb: tuple[UsbId, ...] = ()
    """What is plugged in, `vendor:product`."""
    files: tuple[Path, ...] = ()
    """Files that are there."""
    cpuinfo: tuple[str, ...] = ()
    """Lines of `/proc/cpuinfo`, written `key: value`."""


class Thermal(_Part):
    """Which temperatures count on a board, and how hot it may become; degrees Celsius."""

    zones: tuple[str, ...] = ("*cpu*", "*soc*", "*package*", "*x86_pkg_temp*", "*k10temp*", "*acpitz*")
    """Patterns, in any case, of the types of `/sys/class/thermal/thermal_zone*` that count."""
    soft_c: float = Field(default=75, ge=0, le=150)
    """From here on the agent asks less of the board."""
    hard_c: float = Field(default=85, ge=0, le=150)
    """Here the board's own protection sets in, or damage begins."""
    hysteresis_c: float = Field(default=5, ge=0, le=50)
    """How far below `soft_c` it must have cooled before more is asked of it again."""
    throttled: Literal[""] | Path = ""
    """A file, or a pattern that fits it: its hexadecimal number is not 0 while the board throttles itself."""
    throttled_mask: int = Field(default=0xFFFFFFFF, ge=1, le=0xFFFFFFFF)
    """Which bits of that number count: the others tell of the past."""

    @model_validator(mode="after")
    def _soft_before_hard(self) -> Thermal:
        if self.soft_c >= self.hard_c:
            raise ValueError("soft_c must be below hard_c")
        return self


class Power(_Part):
    """Where a board measures what it draws."""

    hwmon: tuple[str, ...] = ()
    """Patterns of the names in `/sys/class/hwmon/hwmon*/name` whose inputs are the whole board's."""


class Memory(_Part):
    """How much of the memory models may have, all together, and the service as a whole."""

    budget_mb: int = Field(default=0, ge=0, le=1 << 20)
    """In units of 2^20 bytes; 0 for a share."""
    share: float = Field(default=0.5, gt=0, le=1)
    """Of what the machine has, where `budget_mb` is 0."""
    service_mb: int = Field(default=0, ge=0, le=1 << 20)
    """The most that the service may have, all its processes together; 0 for the unit's 80 % of it."""

    @model_validator(mode="after")
    def _models_fit(self) -> Memory:
        if 0 < self.service_mb <= self.budget_mb:
            raise ValueError("service_mb must be above budget_mb: the agent itself needs some, too")
        return self

    def budget(self, total_mb: int) -> int:
        """Give the budget on a machine with so much memory; both in units of 2^20 bytes."""
        return self.budget_mb or int(total_mb * self.share)


class Camera(_Part):
    """What a pipeline's camera is asked for where the pipeline does not say."""

    format: str = Field(default="", pattern=r"^([A-Z0-9]{4})?$")
    """A pixel format, as the source's own `format`; "" leaves the choice to it."""
    width: int | None = Field(default=None, ge=16, le=16384)
    """With `height`; pixels."""
    height: int | None = Field(default=None, ge=16, le=16384)
    fps: int | None = Field(default=None, ge=1, le=1000)

    @model_validator(mode="after")
    def _size_is_whole(self) -> Camera:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height go together")
        return self

    def under(self, options: dict[str, Any]) -> dict[str, Any]:
        """Give a camera's options, with these where they say nothing; a size goes as a whole."""
        own: dict[str, Any] = {"format": self.format or None, "fps": self.fps}
        if not options.keys() & {"width", "height"}:
            own |= {"width": self.width, "height": self.height}
        return {key: value for key, value in own.items() if value is not None} | options


def _alternatives(value: object) -> object:
    """One table, or several of which one must fit."""
    return (value,) if isinstance(value, dict) else value


class Profile(_Part):
    """What is known of a board, or of an accelerator that can be added to any."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    description: str
    tested: bool
    """Whether somebody has run the agent on such a board."""
    overlay: bool = False
    """It is no board: where it matches, its delegates go in front of the board's."""
    match: Annotated[tuple[Match, ...], BeforeValidator(_alternatives)] = ()
    """How it is recognised: a table, or several (`[[match]]`) of which one must fit."""
    threads: int = Field(default=1, ge=1, le=16)
    """Threads of the runtime where a pipeline does not say."""
    deadlines: Deadlines = Deadlines()
    swap: Literal["resident", "restart"] = "resident"
    """How a pipeline changes its model: `resident` loads the new one beside the one that serves, and swaps
    between two frames; `restart`, where there is room for one only, starts another worker."""
    delegates: tuple[Accelerator, ...] = ()
    """Accelerators in order of preference; the plain CPU comes last, whether it is named or not."""
    devices: tuple[str, ...] = ()
    """Device nodes of accelerators, such as `/dev/apex_0`, or a folder of them: workers may open them."""
    thermal: Thermal = Thermal()
    power: Power = Power()
    memory: Memory = Memory()
    camera: Camera = Camera()
    sources: tuple[str, ...] = ()
    """Where these facts come from."""

    @model_validator(mode="after")
    def _titles_differ(self) -> Profile:
        titles = [one.title for one in self.delegates]
        if len(set(titles)) != len(titles):
            raise ValueError("delegates: two have one name; give them a `name`")
        return self


def parse(text: str, filename: str) -> Profile:
    """Read a profile.

    Raises:
        ConfigInvalid: it is no valid profile.
    """
    try:
        whole = tables(text)
    except ValueError as error:
        raise ConfigInvalid("read profile", filename, f"no valid TOML: {error}") from error
    if loc := nul(whole):
        where = ".".join(map(str, loc))
        raise ConfigInvalid("read profile", f"{filename}: {where}", "it holds a NUL character")
    try:
        return Profile.model_validate(whole)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        subject = f"{filename}: {'.'.join(map(str, first['loc']))}".removesuffix(": ")
        raise ConfigInvalid("read profile", subject, first["msg"]) from error
