"""Device profiles: one TOML file a board. Parsing and choosing are pure; the caller reads the files."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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
