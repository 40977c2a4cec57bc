"""What can happen, as a closed list: each event has a level, a counter and a repeat rule.

``emit`` is the only place that logs operational facts. An event that repeats is logged at its level the
first time in a minute and counted each time; the counters are exact.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.errors import Refusal

_log = logging.getLogger("edge-agent")
_REPEAT_S = 60.0
_ANEW_S = 10.0


class Event(Enum):
    """Every event, as ``noun.verb``; its log level; and whether repeats are held back for a minute."""

    level: int
    often: bool

    def __new__(cls, name: str, level: int, often: bool = False) -> Self:  # noqa: FBT001, FBT002
        """Make the name the value; level and repeat rule ride along."""
        member = object.__new__(cls)
        member._value_ = name
        member.level = level
        member.often = often
        return member

    AGENT_STARTED = ("agent.started", logging.INFO)
    AGENT_STOPPING = ("agent.stopping", logging.INFO)
    AGENT_RELOADING = ("agent.reloading", logging.INFO)
    AGENT_STOPPED = ("agent.stopped", logging.INFO)
    NOTIFY_FAILED = ("notify.failed", logging.WARNING, True)
    LANE_STARTED = ("lane.started", logging.INFO)
    LANE_READY = ("lane.ready", logging.INFO)
    LANE_SWAPPED = ("lane.swapped", logging.INFO)
    LANE_EXPOSED = ("lane.exposed", logging.WARNING, True)
    LANE_DIED = ("lane.died", logging.WARNING)
    LANE_HUNG = ("lane.hung", logging.WARNING)
    LANE_STUCK = ("lane.stuck", logging.CRITICAL)
    LANE_REFUSED = ("lane.refused", logging.ERROR)
    LANE_ACCELERATED = ("lane.accelerated", logging.INFO)
    LANE_RELIEVED = ("lane.relieved", logging.INFO)
    ACCELERATOR_OPENED = ("accelerator.opened", logging.INFO)
    ACCELERATOR_ABSENT = ("accelerator.absent", logging.WARNING)
    ACCELERATOR_RETRIED = ("accelerator.retried", logging.WARNING, True)
    ACCELERATOR_FAILED = ("accelerator.failed", logging.WARNING)
    ACCELERATOR_REOPENED = ("accelerator.reopened", logging.INFO)
    ACCELERATOR_RESET = ("accelerator.reset", logging.WARNING)
    ACCELERATOR_RESTING = ("accelerator.resting", logging.WARNING)
    ACCELERATOR_CURED = ("accelerator.cured", logging.INFO)
    ACCELERATOR_SUSPECT = ("accelerator.suspect", logging.ERROR)
    ACCELERATOR_STUCK = ("accelerator.stuck", logging.CRITICAL)
    CAPTURE_STARTED = ("capture.started", logging.INFO)
    CAPTURE_DIED = ("capture.died", logging.WARNING)
    CAPTURE_STUCK = ("capture.stuck", logging.CRITICAL)
    MODEL_ON_TRIAL = ("model.on_trial", logging.INFO)
    MODEL_ACTIVATED = ("model.activated", logging.INFO)
    MODEL_STRUCK = ("model.struck", logging.WARNING)
    MODEL_REJECTED = ("model.rejected", logging.ERROR)
    MODEL_ROLLED_BACK = ("model.rolled_back", logging.ERROR)
    MODEL_OVERDUE = ("model.overdue", logging.ERROR)
    MODEL_LOST = ("model.lost", logging.ERROR)
    MODEL_MISALIGNED = ("model.misaligned", logging.ERROR, True)
    SETTINGS_ON_TRIAL = ("settings.on_trial", logging.INFO)
    SETTINGS_ACTIVATED = ("settings.activated", logging.INFO)
    SETTINGS_STRUCK = ("settings.struck", logging.WARNING)
    SETTINGS_REFUSED = ("settings.refused", logging.ERROR)
    SETTINGS_REJECTED = ("settings.rejected", logging.ERROR)
    SETTINGS_ROLLED_BACK = ("settings.rolled_back", logging.ERROR)
    SETTINGS_OVERDUE = ("settings.overdue", logging.ERROR)
    COMMAND_TAKEN = ("command.taken", logging.INFO)
    COMMAND_DONE = ("command.done", logging.INFO)
    COMMAND_FAILED = ("command.failed", logging.WARNING)
    COMMAND_REFUSED = ("command.refused", logging.WARNING, True)
    COMMAND_UNHEARD = ("command.unheard", logging.WARNING, True)
    DESIRED_TAKEN = ("desired.taken", logging.INFO)
    UPDATER_FAILED = ("updater.failed", logging.WARNING, True)
    UPDATER_STUCK = ("updater.stuck", logging.CRITICAL)
    SOURCE_LOST = ("source.lost", logging.WARNING, True)
    SOURCE_OPENED = ("source.opened", logging.INFO, True)
    SOURCE_UNWELL = ("source.unwell", logging.WARNING, True)
    SOURCE_WELL = ("source.well", logging.INFO, True)
    SOURCE_ENDED = ("source.ended", logging.INFO)
    FRAME_DROPPED = ("frame.dropped", logging.DEBUG, True)
    FRAME_FAILED = ("frame.failed", logging.WARNING, True)
    FRAME_LOST = ("frame.lost", logging.WARNING)
    LEDGER_UNBALANCED = ("ledger.unbalanced", logging.ERROR, True)
    GOVERNOR_EASED = ("governor.eased", logging.WARNING)
    GOVERNOR_RESTORED = ("governor.restored", logging.INFO)
    GOVERNOR_REFUSED = ("governor.refused", logging.WARNING, True)
    LINK_ONLINE = ("link.online", logging.INFO)
    LINK_LOST = ("link.lost", logging.WARNING, True)
    LINK_REFUSED = ("link.refused", logging.ERROR, True)
    CREDENTIALS_CHANGED = ("credentials.changed", logging.INFO)
    CREDENTIALS_REFUSED = ("credentials.refused", logging.ERROR)
    CREDENTIALS_TRIED = ("credentials.tried", logging.WARNING, True)
    CREDENTIALS_UNSAVED = ("credentials.unsaved", logging.ERROR, True)
    DEVICE_DOUBLED = ("device.doubled", logging.ERROR, True)
    MESSAGE_REFUSED = ("message.refused", logging.WARNING, True)
    RECORD_OVERSIZED = ("record.oversized", logging.WARNING, True)
    COLLECTOR_SILENT = ("collector.silent", logging.WARNING, True)
    BATCH_RESENT = ("batch.resent", logging.INFO, True)
    CONTROL_FAILED = ("control.failed", logging.WARNING, True)
    CONTROL_LEFT = ("control.left", logging.WARNING)
    STORE_OPENED = ("store.opened", logging.INFO)
    STORE_FAILED = ("store.failed", logging.ERROR, True)
    STORE_RECOVERED = ("store.recovered", logging.INFO)
    STORE_MIGRATED = ("store.migrated", logging.INFO)
    STORE_EVICTED = ("store.evicted", logging.WARNING, True)
    STORE_SHED = ("store.shed", logging.WARNING, True)
    SEGMENT_MISSING = ("segment.missing", logging.ERROR)
    SEGMENT_QUARANTINED = ("segment.quarantined", logging.ERROR)
    QUARANTINE_DROPPED = ("quarantine.dropped", logging.WARNING)
    STATE_REBUILT = ("state.rebuilt", logging.ERROR)
    MEDIA_REFUSED = ("media.refused", logging.WARNING, True)
    MEDIA_FAILED = ("media.failed", logging.WARNING, True)
    MEDIA_EVICTED = ("media.evicted", logging.INFO, True)
    FILE_SENT = ("file.sent", logging.INFO)
    FILE_DROPPED = ("file.dropped", logging.WARNING, True)
    COLLECTOR_STARTED = ("collector.started", logging.INFO)
    COLLECTOR_STOPPED = ("collector.stopped", logging.INFO)
    KEY_REFUSED = ("key.refused", logging.WARNING, True)
    BATCH_REFUSED = ("batch.refused", logging.WARNING, True)
    BLOCK_DAMAGED = ("block.damaged", logging.WARNING, True)


@dataclass(frozen=True, slots=True)
class Told:
    """What a line of the log says; the record of it has this as ``told``."""

    event: Event
    subject: str
    fields: Mapping[str, str]
    """Texts and not what was told: an error would keep alive all that was there when it was raised."""


counters: Counter[str] = Counter()
"""How often each event has happened in this process, by name; refusals by name and reason, too."""


class Listener(Protocol):
    """Hears each event that is logged, in the thread that it happened in; must neither block nor raise."""

    def __call__(self, event: Event, subject: str, fields: Mapping[str, object]) -> None:
        """Take it in."""


_listeners: list[Listener] = []
_ENDS = {Event.SOURCE_OPENED: Event.SOURCE_LOST, Event.SOURCE_LOST: Event.SOURCE_OPENED}
"""What is over with an event: when it happens again, that is news, and soon told."""
_last_logged: dict[tuple[Event, str], float] = {}
_over: set[tuple[Event, str]] = set()
_guard = threading.Lock()


def emit(
    event: Event, /, subject: str = "", *, count: int = 1, refusal: Refusal | None = None, **fields: object
) -> None:
    """Count ``event`` and log it, unless the same one was logged for ``subject`` within a minute.

    Args:
        event: what happened.
        subject: what it happened to: a pipeline, a lane, a file, a topic.
        count: how many times it happened at once.
        refusal: of a refused message, the reason; counted on its own, too, as ``event/refusal``.
        fields: more to say, as key=value pairs; never a secret.
    """
    with _guard:
        counters[event.value] += count
        if refusal is not None:
            counters[f"{event.value}/{refusal}"] += count
            fields = {"refusal": refusal, **fields}
        if event in _ENDS and (_ENDS[event], subject) in _last_logged:
            _over.add((_ENDS[event], subject))
        if event.often:
            now, place = time.monotonic(), (event, f"{subject}/{refusal}" if refusal else subject)
            last = _last_logged.get(place)
            if last is not None and now - last < (_ANEW_S if place in _over else _REPEAT_S):
                return
            if len(_last_logged) > 1000:  # subjects can come from outside
                _last_logged.clear()
                _over.clear()
            _last_logged[place] = now
            _over.discard(place)
    told = Told(event, printable(subject), {key: printable(str(value)) for key, value in fields.items()})
    details = " ".join(f"{key}={value}" for key, value in told.fields.items())
    line = " ".join(part for part in (event.value, told.subject, details) if part)
    _log.log(event.level, "%s", line, extra={"told": told})
    for listener in tuple(_listeners):
        listener(event, subject, fields)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Tell ``listener`` of each event that is logged, while this lasts."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def printable(line: str) -> str:
    """Escape what could forge a line of the log or steer a terminal: a peer's words may be in it."""
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
