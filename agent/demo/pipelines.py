"""What the demo runs: the one place that names its pipelines, models and sources."""

from __future__ import annotations

import json
from dataclasses import dataclass

from agent.demo.models import first


@dataclass(frozen=True, slots=True)
class Shown:
    """One pipeline of the demo; ``source`` is the TOML of its table."""

    name: str
    model: str
    source: str


PIPELINES = (
    Shown("shapes", str(first()), '{ kind = "synthetic", scene = "shapes", seed = 14 }'),
    Shown("vibration", "vibration", '{ kind = "synthetic_sensor" }'),
)
"""The first one's first item is the demo's first detection, and its worker is the first to be killed."""


def tables() -> str:
    """Give the ``[[pipelines]]`` of the demo's configuration."""
    return "\n".join(map(_table, PIPELINES))


def _table(one: Shown) -> str:
    model = json.dumps(one.model, ensure_ascii=False)  # a path; TOML quotes as JSON does
    return f'[[pipelines]]\nname = "{one.name}"\nmodel = {model}\nsource = {one.source}\n'
