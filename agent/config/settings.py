"""The configuration: one TOML file, overlaid by the environment; frozen, and strict about unknown keys.

``EDGE_AGENT__MQTT__HOST=broker.example`` sets ``mqtt.host``. Parsing does no I/O; it is
``agent.cli.device.settings`` that reads the file.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.config import environment
from agent.config.errors import Loc, problem
from agent.config.overrides import laid_over, refused
from agent.config.pipelines import NamedSource, Pipeline, Plugin
from agent.config.tables import (
    Commands,
    Control,
    Deadlines,
    Device,
    Governor,
    HomeAssistant,
    Host,
    Log,
    Metrics,
    Models,
    Mqtt,
    Store,
    Trust,
)
from agent.errors import ConfigInvalid
from agent.validation import UNKNOWN, nul, plain
from agent.validation import tables as toml_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE = re.compile(r"line (\d+)")


class Settings(BaseModel):
    """All settings of one device."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        use_attribute_docstrings=True,
        title="edge-agent configuration",
    )

    profile: str = "auto"
    """The device profile: `auto` recognises the board; else a name, or a file of one's own."""
    device: Device = Device()
    mqtt: Mqtt | None = None
    trust: Trust = Trust()
    models: Models = Models()
    commands: Commands = Commands()
    host: Host = Host()
    home_assistant: HomeAssistant = HomeAssistant()
    store: Store = Store()
    metrics: Metrics = Metrics()
    governor: Governor = Governor()
    control: Control = Control()
    deadlines: Deadlines | None = None
    """Over those of the device profile."""
    log: Log = Log()
    shutdown_drain_s: float = Field(default=5.0, ge=0, le=600)
    """How long a stopping agent waits for acknowledgements of what it has stored."""
    sources: tuple[NamedSource, ...] = Field(default=(), max_length=256)
    """Sources that pipelines use by their names."""
    pipelines: tuple[Pipeline, ...] = Field(min_length=1, max_length=64)
    """The pipelines; at least one. What a device reports of itself has room for 64."""

    def source_of(self, pipeline: Pipeline) -> Plugin:
        """Give where a pipeline's frames come from: a `NamedSource` where it has a name."""
        source = pipeline.source
        return source if isinstance(source, Plugin) else next(n for n in self.sources if n.name == source)

    def users_of(self, source: NamedSource) -> list[str]:
        """Name the pipelines that use a source."""
        return [one.name for one in self.pipelines if one.source == source.name]


def parse(text: str, filename: str, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the configuration from a TOML text.

    Args:
        text: the file's content.
        filename: what to call it in errors.
        overrides: settings over those of the file, by dotted keys; the environment goes over them, too.

    Raises:
        ConfigInvalid: with ``file:line: key: problem``; ``also`` holds the further problems. One of an
            override names that.
    """
    tables, laid = laid_over(_tables(text, filename), overrides or {})
    if laid and (loc := nul(tables)):
        raise refused(_laid_by(laid, loc), "a text with a NUL character can name nothing", loc=loc)
    try:
        settings = Settings.model_validate(environment.laid_over(tables, Settings, os.environ))
    except ValidationError as error:
        locs = [e["loc"] for e in error.errors()]
        found: list[tuple[Loc, str]] = [
            (_as_written(e["loc"]), e["msg"])
            for e in error.errors(include_url=False)
            # An array that lost its wrong elements is then called too short.
            if not any(len(loc) > len(e["loc"]) and loc[: len(e["loc"])] == e["loc"] for loc in locs)
        ]
    else:
        found = [*_twins(settings), *_unmatched(settings), *_strays()]
        if not found:
            return settings
    first, *others = (
        refused(key, _told(key, loc, message), loc=loc)
        if (key := _laid_by(laid, loc))
        else problem(text, filename, loc, message)
        for loc, message in found
    )
    raise ConfigInvalid(*first.args, loc=first.loc, also=tuple(map(str, others)))


def _laid_by(laid: Mapping[Loc, str], loc: Loc) -> str:
    """Give the key of the override that has set what stands at this path, or a part of it; "" for none."""
    return next((key for path, key in laid.items() if path[: len(loc)] == loc[: len(path)]), "")


def _told(key: str, loc: Loc, message: str) -> str:
    """Say what is wrong with an override, and where inside of it."""
    inner = ".".join(map(str, loc[len(key.split(".")) :]))
    return f"{inner}: {plain(message)}" if inner else plain(message)


def _tables(text: str, filename: str) -> dict[str, Any]:
    try:
        tables = toml_tables(text)
    except ValueError as error:
        at = _LINE.search(str(error))
        line = at[1] if at else text.count("\n") + 1
        raise ConfigInvalid("", f"{filename}:{line}", f"no valid TOML: {error}") from error
    if loc := nul(tables):
        raise problem(text, filename, loc, "a text with a NUL character can name nothing")
    return tables


def _as_written(loc: Loc) -> Loc:
    """Leave out what pydantic adds to the path of a pipeline's source: in which of two ways it is given."""
    return (*loc[:3], *loc[4:]) if loc[:1] == ("pipelines",) and loc[2:3] == ("source",) else loc


def _twins(settings: Settings) -> list[tuple[Loc, str]]:
    named: list[tuple[Loc, str, list[str]]] = [
        (("sources",), "source", [one.name for one in settings.sources]),
        (("pipelines",), "pipeline", [one.name for one in settings.pipelines]),
    ]
    for number, pipeline in enumerate(settings.pipelines):
        named.append((("pipelines", number, "stages"), "stage", [one.name for one in pipeline.stages]))
    return [
        ((*where, at, "name"), f"another {table} is named {name!r}, too")
        for where, table, names in named
        for at, name in enumerate(names)
        if name in names[:at]
    ]


def _unmatched(settings: Settings) -> list[tuple[Loc, str]]:
    """Give the names of sources that are used and not there, or there and not used."""
    names = list(dict.fromkeys(one.name for one in settings.sources))
    known = f"the sources are {', '.join(names)}" if names else "there is no [[sources]] at all"
    unknown: list[tuple[Loc, str]] = [
        (("pipelines", at, "source"), f"there is no source {one.source!r}: {known}")
        for at, one in enumerate(settings.pipelines)
        if isinstance(one.source, str) and one.source not in names
    ]
    return unknown + [
        (("sources", at, "name"), f"no pipeline uses {one.name!r}")
        for at, one in enumerate(settings.sources)
        if not settings.users_of(one)
    ]


def _strays() -> list[tuple[Loc, str]]:
    """Give the environment's keys that no setting begins with."""
    paths = (environment.path(name) for name in os.environ if environment.is_ours(name))
    return [(path, UNKNOWN) for path in sorted(paths) if path[0] not in Settings.model_fields]
