"""What the demo runs: the one place that names its pipelines, models and sources."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shown:
    """One pipeline of the demo; ``source`` is the TOML of its table."""

    name: str
    model: str
    source: str


PIPELINES = (
    Shown("shapes", "glyphs", '{ kind = "synthetic", width = 640, height = 480, fps = 30 }'),
    Shown("vibration", "glyphs", '{ kind = "synthetic", width = 160, height = 120, fps = 6, seed = 1 }'),
)
"""The first one's first item is the demo's first detection, and its worker is the first to be killed."""


def tables() -> str:
    """Give the ``[[pipelines]]`` of the demo's configuration."""
    parts = (
        f'[[pipelines]]\nname = "{one.name}"\nmodel = "{one.model}"\nsource = {one.source}\n'
        for one in PIPELINES
    )
    return "\n".join(parts)
