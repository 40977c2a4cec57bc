"""Which checks there are for which kind of plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.contracts.options import COMMON

if TYPE_CHECKING:
    from agent.contracts.checks import Check

ROOMS = ("decoders", "filters", "gates", "sources")
"""Kinds of plugins that can be checked; of a source only what all plugins have in common."""


def checks_of(room: str) -> tuple[Check, ...]:
    """Give the checks of a room, in their order: those without which no other makes sense come first."""
    if room == "decoders":
        from agent.contracts import decoders

        return (*COMMON, *decoders.CHECKS)
    if room == "filters":
        from agent.contracts import filters

        return (*COMMON, *filters.CHECKS)
    if room == "gates":
        from agent.contracts import gates

        return (*COMMON, *gates.CHECKS)
    return COMMON
