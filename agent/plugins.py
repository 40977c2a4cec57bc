"""What can be added is found by name: one module each, imported only when asked for; ``ROOMS`` says what.

``load("sources", "video")`` imports ``agent.sources.video``; a name that the agent does not have is
looked up in the entry point group ``edge_agent.sources``. Built-in names cannot be shadowed.
A plugin module has a pydantic model ``Options`` and a function ``build``; see docs/howto.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from agent.errors import ConfigInvalid

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints
    from types import ModuleType

ROOMS = ("sources", "backends", "decoders", "gates", "filters", "delegates")


def names(room: str) -> list[str]:
    """List the names that ``load`` accepts for ``room``, built-in ones first."""
    built_in = _built_in(room)
    others = sorted(p.name for p in entry_points(group=f"edge_agent.{room}") if p.name not in built_in)
    return built_in + others


def load(room: str, name: str, *loc: str | int) -> ModuleType:
    """Import the module that serves ``name`` in ``room``.

    Args:
        room: one of ``ROOMS``.
        name: the plugin's name.
        loc: the path of the key that names it, indices of arrays included, for the error.

    Raises:
        ConfigInvalid: there is no such plugin, or it lacks ``Options`` or ``build``.
    """
    if name in _built_in(room):
        module = importlib.import_module(f"agent.{room}.{name}")
    else:
        module = _foreign(room, name, loc)
    for part in ("Options", "build"):
        if not hasattr(module, part):
            raise ConfigInvalid(
                "load",
                f"{room} plugin {name!r}",
                f"its module has no {part}",
                f"See docs/howto/add-a-{room.removesuffix('s')}.md",
                loc=loc,
            )
    return module


def _foreign(room: str, name: str, loc: tuple[str | int, ...]) -> ModuleType:
    for found in entry_points(group=f"edge_agent.{room}", name=name):
        module: ModuleType = found.load()
        return module
    known = names(room)
    hint = f"Use one of: {', '.join(known)}" if known else "There is none of them at all"
    raise ConfigInvalid("load", f"{room} plugin", f"there is no {name!r}", hint, loc=loc)


def entry_points(*, group: str, name: str | None = None) -> EntryPoints:
    """Give what installed distributions offer in a group; ``name`` narrows it."""
    from importlib import metadata  # a megabyte, for the few who have plugins of their own

    found = metadata.entry_points(group=group)
    return found if name is None else found.select(name=name)


def is_own(room: str, name: str) -> bool:
    """Whether a plugin is one of the agent's own."""
    return name in _built_in(room)


def apart(room: str, name: str) -> bool:
    """Whether a built-in plugin says ``APART = True``: it wants a process of its own."""
    if name not in _built_in(room):
        return False
    return bool(getattr(importlib.import_module(f"agent.{room}.{name}"), "APART", False))


def _built_in(room: str) -> list[str]:
    package = importlib.import_module(f"agent.{room}")
    return sorted(
        m.name for m in pkgutil.iter_modules(package.__path__) if not (m.ispkg or m.name.startswith("_"))
    )
