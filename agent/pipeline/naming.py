"""Finds a model's tensors by what people call them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import TensorSpec

_MOST_SHOWN, _MOST_NAME = 8, 60


def find(called: str, specs: Sequence[TensorSpec]) -> int | None:
    """Give the position of the one tensor that is called so; None when there is none, or more than one.

    Args:
        called: its name in the signature, else in the graph, else its position, from 0, as digits.
        specs: the inputs or the outputs, in the model's order.
    """
    for names in ([one.called for one in specs], [one.name for one in specs]):
        if names.count(called) == 1:
            return names.index(called)
    return int(called) if called.isdecimal() and len(called) <= 3 and int(called) < len(specs) else None


def listed(specs: Sequence[TensorSpec]) -> str:
    """Name tensors for an error, on one line: names come from outside."""
    shown = ", ".join(f"{name_of(one)} {one.dtype}{list(one.shape)}" for one in specs[:_MOST_SHOWN])
    more = len(specs) - _MOST_SHOWN
    return shown + (f" and {more} more" if more > 0 else "")


def name_of(spec: TensorSpec) -> str:
    """Give a tensor's name, that of the signature before that of the graph, on one line."""
    return "".join(one if one.isprintable() else "?" for one in (spec.called or spec.name)[:_MOST_NAME])
