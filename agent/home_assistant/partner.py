"""Publishes discovery and state, as a partner of the supervisor; and takes away what was published before.

The discovery message is retained, and published anew with each link: a Home Assistant that starts later finds
it at the broker, so its birth message need not be heard. What was shown is noted in the data folder, so that
it can be removed when it is switched off, or a pipeline is gone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import orjson

from agent.events import Event, emit
from agent.files import write_durably
from agent.home_assistant.discovery import Shown, components, message
from agent.home_assistant.state import state
from agent.link import topics
from agent.link.settings import LinkDown, LinkPublished, LinkUp
from agent.supervision.partners import QuietPartner

if TYPE_CHECKING:
    from pathlib import Path

    from agent.plan import Plan
    from agent.supervision.partners import Offer

_NOTE = "home-assistant.json"
_MAX_NOTE = 256 << 10
_AGAIN_S = 5.0


class HomeAssistant(QuietPartner):
    """What Home Assistant is shown of this device, or not any more."""

    def __init__(self, shown: Shown, offer: Offer, data: Path, *, enabled: bool) -> None:
        self._shown = shown
        self._offer = offer
        self._enabled = enabled
        self._note = data / _NOTE
        self._before = self._read()
        self._next: float = math.inf
        self._introduced = False
        self._removing: int | None = None

    def take(self, event: object, now: float) -> None:
        """Begin anew with each link."""
        match event:
            case LinkUp():
                self._introduced, self._removing = False, None
                self._next = now
            case LinkDown():
                self._next = math.inf
            case LinkPublished() if event.token == self._removing:
                self._removing = None
                self._removed(refused=event.refused)

    def tick(self, now: float) -> None:
        """Publish what is due."""
        if now < self._next or not self._offer.online():
            return
        if not self._introduced:
            self._introduced = self._introduce() if self._enabled else self._remove()
            if not self._introduced:
                self._next = now + _AGAIN_S
                return
        if not self._enabled:
            self._next = math.inf
            return
        self._next = now + self._shown.every_s
        body = orjson.dumps(state(self._offer.status()))
        self._retain(topics.up_ha(self._shown.fleet, self._shown.device), body)

    def _introduce(self) -> bool:
        """Show what there is; say whether the link took it."""
        parts = {name: part["platform"] for name, part in components(self._shown).items()}
        topic, before = self._shown.topic, self._before
        if before and before["topic"] != topic:
            if self._retain(before["topic"], b"") is None:
                return False
            before = None
        was = before["components"] if before else {}
        if not self._keep({"topic": topic, "components": was | parts}):
            return False
        gone = {name: platform for name, platform in was.items() if name not in parts}
        if gone and self._retain(topic, orjson.dumps(message(self._shown, gone))) is None:
            return False
        if self._retain(topic, orjson.dumps(message(self._shown))) is None:
            return False
        return self._keep({"topic": topic, "components": parts})

    def _remove(self) -> bool:
        """Take away what was shown before, if anything was; an empty message does that."""
        if self._before is None:
            return True
        state_topic = topics.up_ha(self._shown.fleet, self._shown.device)
        if self._retain(state_topic, b"") is None:
            return False
        self._removing = self._retain(self._before["topic"], b"")
        return self._removing is not None

    def _retain(self, topic: str, payload: bytes) -> int | None:
        retain = True
        return self._offer.publish(topic, payload, retain)

    def _removed(self, *, refused: str) -> None:
        """The broker has taken the removal over, or does not."""
        if refused:
            emit(Event.MESSAGE_REFUSED, self._shown.topic, problem=refused)
            return
        self._before = None
        try:
            self._note.unlink(missing_ok=True)
        except OSError as error:  # the next start takes it away once more, which is harmless
            emit(Event.STORE_FAILED, str(self._note), problem=error)

    def _keep(self, note: dict[str, Any]) -> bool:
        if note != self._before:
            try:
                write_durably(self._note, orjson.dumps(note))
            except OSError as error:
                emit(Event.STORE_FAILED, str(self._note), problem=error)
                return False
        self._before = note
        return True

    def _read(self) -> dict[str, Any] | None:
        """What was shown before; None for nothing, or where the note says nothing that can be used."""
        try:
            with self._note.open("rb") as file:
                found = orjson.loads(file.read(_MAX_NOTE))
            parts: dict[str, Any] = found["components"]
            well = isinstance(found["topic"], str) and all(isinstance(one, str) for one in parts.values())
        except FileNotFoundError:
            return None
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            emit(Event.STORE_FAILED, str(self._note), problem=error)
            return None
        return {"topic": found["topic"], "components": parts} if well else None

    def next_tick(self, now: float) -> float:
        """Seconds until the next message."""
        return max(0.0, self._next - now)

    def stop(self) -> None:
        """The last state stays; that the device is away, the broker tells by its state."""
        self._next = math.inf


def home_assistant(plan: Plan, offer: Offer) -> list[HomeAssistant]:
    """Give the partner; none without a broker."""
    if plan.mqtt is None:
        return []
    table = plan.settings.home_assistant
    shown = Shown(
        fleet=plan.mqtt.fleet,
        device=plan.device,
        board=plan.profile.name,
        pipelines=[spec.pipeline for spec in plan.lanes],
        every_s=table.every_s,
        prefix=table.prefix,
    )
    return [HomeAssistant(shown, offer, plan.data, enabled=table.enabled)]
