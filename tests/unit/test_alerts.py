"""Which events become alerts: rule [record-4] of docs/protocol.md."""

from __future__ import annotations

import logging
import threading

import pytest

from agent import events
from agent.alerts import A_MINUTE, Alert, Alerts
from agent.events import Event, emit


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Alert]:
    monkeypatch.setattr(events, "_last_logged", {})
    return []


def test_warnings_and_worse_are_alerts_and_nothing_else_is(heard: list[Alert]) -> None:
    for event in Event:  # each alone: they are more than a minute has room for
        with events.heard_by(Alerts(heard.append)):  # type: ignore[arg-type]
            emit(event, "door", why="it", code=5)
    assert {alert.event for alert in heard} == {e.value for e in Event if e.level >= logging.WARNING}
    body = heard[0].as_json()
    assert {body["kind"], body["subject"]} == {"event", "door"}
    assert body["items"] == [{"why": "it", "code": "5"}]
    assert body["level"] in {"warning", "error", "critical"}


def test_what_the_repeat_rule_holds_back_is_no_alert(heard: list[Alert]) -> None:
    with events.heard_by(Alerts(heard.append)):  # type: ignore[arg-type]
        for _ in range(5):
            emit(Event.STORE_FAILED, "commit")
    assert [alert.event for alert in heard] == ["store.failed"]


def test_nobody_is_told_after_the_end(heard: list[Alert]) -> None:
    with events.heard_by(Alerts(heard.append)):  # type: ignore[arg-type]
        pass
    emit(Event.LANE_HUNG, "door")
    assert heard == []


def test_there_are_so_many_in_a_minute_and_the_next_counts_the_others(
    heard: list[Alert], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("agent.alerts.time.monotonic_ns", lambda: int(now[0] * 1e9))
    alerts = Alerts(heard.append)  # type: ignore[arg-type]
    for second in range(A_MINUTE + 7):
        now[0] = second / 10
        alerts(Event.LANE_DIED, "door", {})
    assert len(heard) == A_MINUTE
    now[0] = 61.0
    alerts(Event.LANE_DIED, "door", {})
    alerts(Event.LANE_DIED, "door", {})
    assert [alert.suppressed for alert in heard[-2:]] == [7, 0]
    assert heard[-2].as_json()["suppressed"] == 7
    assert "suppressed" not in heard[-1].as_json()


def test_threads_together_keep_the_bound_and_lose_no_count(heard: list[Alert]) -> None:
    alerts = Alerts(heard.append)  # type: ignore[arg-type]

    def many() -> None:
        for _ in range(100):
            alerts(Event.LANE_DIED, "door", {})

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heard) == A_MINUTE
    assert alerts._suppressed == 400 - A_MINUTE


def test_a_peers_words_are_bounded_and_printable(heard: list[Alert]) -> None:
    fields = {f"field{at}": "x\n\x1b[2J" * 1000 for at in range(40)}
    Alerts(heard.append)(Event.MESSAGE_REFUSED, "s\n" * 5000, fields)  # type: ignore[arg-type]
    [alert] = heard
    assert len(alert.fields) == 16
    assert max(map(len, [alert.subject, *alert.fields.values()])) <= 1000
    assert all(text.isprintable() for text in [alert.subject, *alert.fields.values()])
