from __future__ import annotations

import logging
import re
import threading
from typing import TYPE_CHECKING

import pytest

from agent import events
from agent.events import Event, counters, emit

if TYPE_CHECKING:
    from collections.abc import Iterator

REPEATED = Event.FRAME_DROPPED
PLAIN = Event.LANE_READY


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG, logger="edge-agent")
    monkeypatch.setattr(events, "_last_logged", {})
    monkeypatch.setattr(events, "_over", set())
    before = counters.copy()
    counters.clear()
    yield
    counters.clear()
    counters.update(before)


class Time:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(events, "time", clock)
    return clock


@pytest.mark.parametrize("event", list(Event))
def test_every_event_is_noun_verb_with_a_level(event: Event) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", event.value)
    assert event.name == event.value.upper().replace(".", "_")
    assert logging.getLevelName(event.level) in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}


def test_an_event_is_logged_at_its_level_with_subject_and_fields(caplog: pytest.LogCaptureFixture) -> None:
    emit(Event.LANE_HUNG, "door", seconds=12, doing="invoke")
    assert caplog.record_tuples == [("edge-agent", logging.WARNING, "lane.hung door seconds=12 doing=invoke")]


def test_a_bare_event_logs_its_name_alone(caplog: pytest.LogCaptureFixture) -> None:
    emit(Event.AGENT_STOPPED)
    assert caplog.messages == ["agent.stopped"]


def test_an_event_without_a_repeat_rule_is_logged_each_time(caplog: pytest.LogCaptureFixture) -> None:
    assert not PLAIN.often
    for _ in range(3):
        emit(PLAIN, "door")
    assert len(caplog.messages) == 3


def test_a_repeat_is_held_back_for_a_minute_and_counted_all_the_same(
    caplog: pytest.LogCaptureFixture, time: Time
) -> None:
    assert REPEATED.often
    emit(REPEATED, "door")
    time.now += 59.9
    emit(REPEATED, "door", count=7)
    assert len(caplog.messages) == 1
    time.now += 0.1
    emit(REPEATED, "door")
    assert len(caplog.messages) == 2
    assert counters[REPEATED.value] == 9


def test_a_loss_after_a_return_is_told_after_10_s_however_often_it_comes_and_goes(
    caplog: pytest.LogCaptureFixture, time: Time
) -> None:
    for _ in range(30):
        emit(Event.SOURCE_LOST, "door")
        emit(Event.SOURCE_OPENED, "door")
        time.now += 1
    assert caplog.messages == ["source.lost door", "source.opened door"] * 3
    emit(Event.SOURCE_LOST, "door")
    time.now += 30
    emit(Event.SOURCE_LOST, "door")  # not open in between
    assert [one for one in caplog.messages if "lost" in one] == ["source.lost door"] * 4


def test_each_subject_has_a_minute_of_its_own(caplog: pytest.LogCaptureFixture, time: Time) -> None:
    for subject in ("door", "gate", "door", "gate"):
        emit(REPEATED, subject)
    assert caplog.messages == ["frame.dropped door", "frame.dropped gate"]


def test_each_event_has_a_minute_of_its_own(caplog: pytest.LogCaptureFixture, time: Time) -> None:
    emit(REPEATED, "door")
    emit(Event.FRAME_FAILED, "door")
    assert len(caplog.messages) == 2


def test_subjects_from_outside_cannot_fill_the_memory() -> None:
    for number in range(3000):
        emit(REPEATED, f"topic-{number}")
    assert len(events._last_logged) <= 1001
    assert counters[REPEATED.value] == 3000


def test_threads_count_exactly() -> None:
    def many() -> None:
        for _ in range(500):
            emit(REPEATED, "door")

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters[REPEATED.value] == 2000


def test_a_percent_sign_in_a_subject_is_only_text(caplog: pytest.LogCaptureFixture) -> None:
    emit(PLAIN, "100%s %d")
    assert caplog.messages == ["lane.ready 100%s %d"]
