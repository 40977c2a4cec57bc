"""What the service says, as the journal keeps it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agent.events import Event
from agent.journal import message_id
from tests.system.booted import UNIT

if TYPE_CHECKING:
    from tests.system.container import Container

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


def entries(service: Container, *asked: str) -> list[dict[str, Any]]:
    service.run("journalctl", "--sync")
    told = service.run("journalctl", "-u", UNIT, "-o", "json", "--no-pager", *asked)
    return [json.loads(line) for line in told.stdout.splitlines()]


def test_events_of_the_service_can_be_asked_for_by_their_fields(service: Container) -> None:
    found = entries(service, "EDGE_EVENT=lane.ready", "EDGE_SUBJECT=door")
    assert found != []
    entry = found[-1]
    assert entry["MESSAGE"].startswith("lane.ready door ")
    assert entry["EDGE_DELEGATE"] == "xnnpack"
    assert entry["PRIORITY"] == "6"
    assert entry["SYSLOG_IDENTIFIER"] == "edge-agent"
    assert entry["_TRANSPORT"] == "journal"
    assert entries(service, f"MESSAGE_ID={message_id(Event.LANE_READY)}")[-1] == entry
    assert entries(service, "EDGE_EVENT=lane.ready", "EDGE_SUBJECT=window") == []
