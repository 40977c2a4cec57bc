"""Who finds what: each kind of source by a function ``found`` of its module, or one of those here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import plugins
from agent.sources.finding import buses, ribbon, sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from agent.types import Found

_BESIDE: dict[str, Callable[[Path], Sequence[Found]]] = {
    "can": buses.found,
    "microphone": sound.found,
    "rpicam": ribbon.found,
}
"""For kinds whose module has no ``found`` of its own."""


def find(root: Path) -> Iterator[tuple[str, Found]]:
    """Give each device with the kind that reads it, by kind.

    Args:
        root: "/", or a folder that looks like it.
    """
    for kind in plugins.names("sources"):
        finder = getattr(plugins.load("sources", kind), "found", None) or _BESIDE.get(kind)
        if finder is not None:
            yield from ((kind, one) for one in finder(root))
