"""A release that was just installed says that it is well, once it is: else the helper takes it back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from agent import __version__
from agent.documents.helper import WORD, Word
from agent.events import Event, emit
from agent.files import write_durably
from agent.supervision.partners import QuietPartner

if TYPE_CHECKING:
    from agent.host.machine import Helped
    from agent.host.told import Told
    from agent.supervision.partners import Offer

_LOOK_S = 1.0


class Trial(QuietPartner):
    """A partner: waits until all pipelines run, and the link is up if it was, for long enough on end."""

    def __init__(self, machine: Helped, offer: Offer) -> None:
        self._machine = machine
        self._offer = offer
        self._next_look = 0.0
        self._well_since = math.inf
        # The helper says so before it starts the agent.
        told = machine.told()
        self._told = told if told is not None and told.state == "probation" else None

    def tick(self, now: float) -> None:
        """Look how it goes."""
        if self._told is None or now < self._next_look:
            return
        self._next_look = now + _LOOK_S
        if not self._well(self._told):
            self._well_since = math.inf
            return
        self._well_since = min(self._well_since, now)
        if now - self._well_since >= self._told.steady_s:
            self._say(self._told.id)

    def _well(self, told: Told) -> bool:
        linked = not told.online or self._offer.online()
        return linked and set(self._machine.unwell()) <= set(told.spared)

    def _say(self, command: str) -> None:
        try:
            word = Word(id=command, version=__version__)
            write_durably(self._machine.folder / WORD, word.model_dump_json().encode())
        except OSError as error:
            emit(Event.STORE_FAILED, str(self._machine.folder), problem=error)
            return
        self._told = None

    def next_tick(self, now: float) -> float:
        """Seconds until the next look."""
        return math.inf if self._told is None else max(0.0, self._next_look - now)
