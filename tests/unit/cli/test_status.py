"""edge-agent status in words: what a person has to know fits the terminal."""

from __future__ import annotations

from typing import Any

import pytest

from agent.cli.status import _lines

STAGES = ("capture_wait", "preprocess", "queue", "infer", "decode", "send", "total")


def status(**link: Any) -> dict[str, Any]:
    percentiles = {"p50": 0.123, "p95": 12.3, "p99": 123.4, "p999": 999.9}
    ledger = {
        "captured": 123_456,
        "inferred": 123_456,
        "dropped": {"overwritten": 9},
        "failed": {},
        "lost": 3,
    }
    pipeline = {
        "name": "front-door",
        "state": "running",
        "model": "shapes@1.0.0",
        "delegate": "xnnpack",
        "fps": 29.9,
        "ledger": ledger,
        "restarts": 2,
        "latency": dict.fromkeys(STAGES, percentiles),
        "problem": "",
    }
    store = {"committed": 123_456, "acked": 0, "backlog": 123_456, "bytes": 7 << 20, "problem": ""}
    return {
        "device": "gate-1",
        "version": "0.1.0",
        "uptime_s": 86_400.0,
        "profile": "raspberry-pi-zero-2w",
        "pipelines": [pipeline],
        "store": {**store, "path": "/var/lib/edge-agent"},
        "link": {"state": "online", "broker": "broker.example:1883", "signed": True, **link},
        "events": {},
    }


def test_no_line_is_wider_than_a_terminal() -> None:
    assert [line for line in _lines(status()) if len(line) > 79] == []


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ({"unheard_s": 16.0, "silent": False}, "nothing heard of the collector"),
        ({"unheard_s": 400.0, "silent": True}, "nothing heard of the collector"),
        ({"blocked": "not authorized"}, "blocked: not authorized"),
        ({"signed": False}, "not signed"),
    ],
)
def test_what_stands_in_the_way_of_delivery_is_told(link: dict[str, Any], said: str) -> None:
    assert [line for line in _lines(status(**link)) if said in line]
    assert not [line for line in _lines(status(unheard_s=3.0, silent=False)) if said in line]
