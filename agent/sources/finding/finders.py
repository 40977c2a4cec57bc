"""Who finds what: each kind of source, by the function ``found`` of its module, where it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import plugins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.types import Found


def find(root: Path) -> Iterator[tuple[str, Found]]:
    """Give each device with the kind that reads it, by kind.

    Args:
        root: "/", or a folder that looks like it.
    """
    for kind in plugins.names("sources"):
        module = plugins.load("sources", kind)
        if hasattr(module, "found"):
            yield from ((kind, one) for one in module.found(root))
