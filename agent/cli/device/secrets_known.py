"""The secrets that an agent is given: what must stand in no text that leaves the device."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from agent.redaction import secrets_in, secrets_of_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.cli.device.settings import Loaded

_MOST_FILE = 4096


def known(loaded: Loaded | None) -> Iterator[str]:
    """Give the secrets of the environment, of the configuration, and of the files of logins that it names."""
    yield from secrets_of_environment(os.environ)
    if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        yield from _words_of(Path(folder, "mqtt-password"))
    if loaded is None:
        return
    settings = loaded.settings
    if settings.mqtt is not None:
        yield settings.mqtt.password.get_secret_value()
    yield from secrets_in(settings.model_dump(mode="json"))
    beside = loaded.path.resolve().parent
    for source in (*settings.sources, *map(settings.source_of, settings.pipelines)):
        if isinstance(name := source.options.get("login"), str) and name:
            yield from _words_of(beside / name)


def _words_of(path: Path) -> Iterator[str]:
    """Give the secrets in a small file: its first line, and what stands behind a colon there."""
    try:
        with path.open("rb") as file:
            line = file.read(_MOST_FILE).decode(errors="replace").partition("\n")[0].strip()
    except OSError:
        return  # whoever may not read it cannot tell it
    yield line
    yield line.partition(":")[2]
