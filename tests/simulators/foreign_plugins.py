"""Plugins as other distributions bring them: modules and their entry points, in a folder of their own."""

from __future__ import annotations

import sys
import textwrap
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import TYPE_CHECKING, Any

from agent import plugins

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

_HEAD = '''\
"""A plugin of somebody's."""

from __future__ import annotations

import os, signal, time
from dataclasses import replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.errors import InputRejected, ModelInvalid, SourceLost
from agent.screening import Admission
from agent.types import Result


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds: float = Field(default=1.0, ge=0, description="for how long")


def build(options, *more):
    return Plugin()


class Plugin:
'''
_METHODS = {
    "filters": "def apply(self, result, frame):",
    "gates": "def admit(self, frame):",
    "decoders": "def decode(self, outputs, frame, inputs=()):",
}


def whole(room: str, body: str) -> str:
    """Give a module whose one method has this body."""
    return f"{_HEAD}    seen = 0\n\n    {_METHODS[room]}\n{textwrap.indent(textwrap.dedent(body), ' ' * 8)}\n"


def install(folder: Path, room: str, name: str, text: str) -> None:
    """Install a module as an entry point, in a distribution called as the module is.

    Args:
        folder: what is to stand in ``sys.path``.
        room: the kind of plugin.
        name: the plugin's name; its module is called ``foreign_<name>``.
        text: of the module.
    """
    module = f"foreign_{name}"
    (folder / f"{module}.py").write_text(text)
    info = folder / f"{module}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[edge_agent.{room}]\n{name} = {module}\n")


def offer(monkeypatch: pytest.MonkeyPatch, room: str, name: str, **parts: Any) -> None:
    """Have this process find one plugin of another distribution, whose module has these parts."""
    made = ModuleType(f"foreign_{name}")
    vars(made).update(parts)
    monkeypatch.setitem(sys.modules, made.__name__, made)
    point = EntryPoint(name, made.__name__, f"edge_agent.{room}")

    def entry_points(*, group: str, name: str = point.name) -> list[EntryPoint]:
        return [point] if (group, name) == (point.group, point.name) else []

    monkeypatch.setattr(plugins, "entry_points", entry_points)
