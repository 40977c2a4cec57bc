"""Whether the filters of a pipeline have what they need of those before them.

A line without tracks, or a stay in a zone that no filter names, is no error of any one filter's options, and
would be silent for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import plugins
from agent.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.config.pipelines import Plugin

_OF_TRACKS = ("lines", "dwell")
_OF_ZONES = ("dwell", "count")
_GIVES = {
    "zones": ("zone.entered", "zone.left"),
    "lines": ("line.crossed",),
    "dwell": ("zone.dwelt",),
    "count": ("count.changed", "count.reached"),
    "smooth": ("keyword.heard",),
}
"""The events of the agent's own filters; those of zones need tracks."""
_ALWAYS = ("*", "result.shortened")


def check_order(filters: Sequence[Plugin], task: str) -> None:
    """Check that what needs tracks has ``track`` before it, and what needs a zone a ``zones`` that names it.

    A decoder, or a filter, of another distribution may give both: nothing behind it is judged.

    Args:
        filters: in their order; their options are sound.
        task: the decoder before them.

    Raises:
        ConfigInvalid: a filter lacks one; ``loc`` leads to it in the pipeline.
    """
    if not plugins.is_own("decoders", task):
        return
    before: list[str] = []
    known: list[str] = []
    for number, one in enumerate(filters):
        if not plugins.is_own("filters", one.kind):
            return
        if one.kind in _OF_TRACKS and "track" not in before:
            problem = "it goes by tracks, and no filter before it gives any"
            hint = 'Put the filter "track" before it'
            loc: tuple[str | int, ...] = ("filters", number, "kind")
            raise ConfigInvalid("chain filters", one.kind, problem, hint, loc=loc)
        wanted = one.options.get("zones", ())
        if one.kind in _OF_ZONES and (strange := [name for name in wanted if name not in known]):
            problem = f"no filter before it has a zone {strange[0]!r}"
            hint = (
                f"Name one of: {', '.join(known)}" if known else 'Put a filter "zones" that has it before it'
            )
            raise ConfigInvalid("chain filters", one.kind, problem, hint, loc=("filters", number, "zones"))
        if one.kind == "zones":
            known += [zone["name"] for zone in wanted]
        before.append(one.kind)


def unheard(filters: Sequence[Plugin], task: str, wanted: Iterable[str]) -> list[str]:
    """Give those of the events that are wanted which nothing in a pipeline can give.

    None are given where a decoder or filter of another distribution may know more.

    Args:
        filters: of the pipeline.
        task: its decoder.
        wanted: names of events; ``*`` is all of them.
    """
    kinds = [one.kind for one in filters]
    if not plugins.is_own("decoders", task) or not all(plugins.is_own("filters", kind) for kind in kinds):
        return []
    telling = [kind for kind in kinds if kind != "zones" or "track" in kinds[: kinds.index("zones")]]
    given = {event for kind in telling for event in _GIVES.get(kind, ())}
    return sorted({one for one in wanted if one not in given and one not in _ALWAYS})
