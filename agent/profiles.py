"""Device profiles: one TOML file a board. Parsing and choosing are pure; the caller reads the files."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent.accelerators import Accelerator
from agent.errors import ConfigInvalid
from agent.tables import Deadlines

if TYPE_CHECKING:
    from collections.abc import Iterable


class Match(BaseModel):
    """How a board is recognised."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    machine: tuple[str, ...] = ()
    """Names that `uname -m` gives on such boards."""


class Thermal(BaseModel):
    """Which temperatures count on a board, and how hot it may become; degrees Celsius."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zones: tuple[str, ...] = ("*cpu*", "*soc*", "*package*", "*x86_pkg_temp*", "*k10temp*", "*acpitz*")
    """Patterns (fnmatch, any case) of the types of `/sys/class/thermal/thermal_zone*` that count."""
    soft_c: float = Field(default=75, ge=0, le=150)
    """From here on the agent asks less of the board."""
    hard_c: float = Field(default=85, ge=0, le=150)
    """Here the board's own protection sets in, or damage begins."""
    hysteresis_c: float = Field(default=5, ge=0, le=50)
    """How far below `soft_c` it must have cooled before more is asked of it again."""
    throttled: str = ""
    """A file whose number is not 0 while the board throttles itself; "" where it has none."""

    @model_validator(mode="after")
    def _soft_before_hard(self) -> Thermal:
        if self.soft_c >= self.hard_c:
            raise ValueError("soft_c must be below hard_c")
        return self


class Power(BaseModel):
    """Where a board measures what it draws."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hwmon: tuple[str, ...] = ()
    """Patterns of the names in `/sys/class/hwmon/hwmon*/name` whose power or energy inputs are the board's."""


class Profile(BaseModel):
    """What is known of a board."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    description: str
    tested: bool
    """Whether somebody has run the agent on such a board."""
    match: Match = Match()
    threads: int = Field(default=1, ge=1, le=16)
    """Threads of the runtime where a pipeline does not say."""
    deadlines: Deadlines = Deadlines()
    swap: Literal["resident", "restart"] = "resident"
    """How a pipeline changes its model: `resident` loads the new one beside the one that serves, and swaps
    between two frames; `restart`, where there is room for one only, starts another worker."""
    delegates: tuple[Accelerator, ...] = ()
    """Accelerators in order of preference; the plain CPU comes last, whether it is named or not."""
    thermal: Thermal = Thermal()
    power: Power = Power()
    devices: tuple[str, ...] = ()
    """Device nodes of accelerators, such as `/dev/apex_0`, or a folder of them: workers may open them."""


def parse(text: str, filename: str) -> Profile:
    """Read a profile.

    Raises:
        ConfigInvalid: it is no valid profile.
    """
    try:
        return Profile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid("read profile", filename, f"no valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigInvalid(
            "read profile", f"{filename}: {'.'.join(map(str, first['loc']))}", first["msg"]
        ) from error


def choose(profiles: Iterable[Profile], wanted: str, machine: str) -> Profile:
    """Give the profile named ``wanted``, or for "auto" the one that matches the machine.

    Raises:
        ConfigInvalid: there is none of that name.
    """
    known = list(profiles)
    for profile in known:
        if profile.name == wanted or (wanted == "auto" and machine in profile.match.machine):
            return profile
    if wanted == "auto":
        return Profile(name="unknown", description=f"an unknown machine ({machine})", tested=False)
    raise ConfigInvalid(
        "choose profile",
        wanted,
        "there is no such device profile",
        f"Use auto or one of: {', '.join(p.name for p in known)}",
        loc=("profile",),
    )
