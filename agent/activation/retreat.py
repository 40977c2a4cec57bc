"""Ways back from an active model: by hand, and when its files are gone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.activation.holdings import REASON, named, titled, verdict_on
from agent.activation.lifecycle import ModelState
from agent.errors import Rejected
from agent.events import Event, emit
from agent.slots import Note

if TYPE_CHECKING:
    from agent.activation.holdings import Holdings

BY_HAND = "rolled back by hand"


def lost(held: Holdings, reason: str) -> None:
    """The active model cannot be loaded any more: the one before takes its place."""
    if row := held.active:
        held.fall_back(Note("model.lost", held.pipeline, {**named(row), "reason": reason[:REASON]}))
        emit(Event.MODEL_LOST, held.pipeline, model=titled(row), problem=reason)


def by_hand(held: Holdings, generation: int) -> None:
    """Take the active model out, and let no desired state up to ``generation`` bring it back.

    Raises:
        Rejected: no model from a bundle is active.
    """
    row = held.active
    if row is None:
        raise nowhere(held.pipeline)
    row = replace(row, generation=max(row.generation, generation))
    note = Note("model.rolled_back", held.pipeline, {**named(row), "reason": BY_HAND})
    held.fall_back(note, verdict_on(row, ModelState.ROLLED_BACK, BY_HAND))
    emit(Event.MODEL_ROLLED_BACK, held.pipeline, model=titled(row), why=BY_HAND)


def nowhere(pipeline: str) -> Rejected:
    """There is nothing to go back to."""
    hint = f"Deploy a model: edgectl deploy DEVICE MODEL@VERSION --pipeline {pipeline}"
    return Rejected("roll back", pipeline, "there is no model to go back to", hint)
