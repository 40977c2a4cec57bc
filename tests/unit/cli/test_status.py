"""edge-agent status in words: what a person has to know fits the terminal."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from agent.cli import status as module
from agent.cli.status import _lines

STAGES = ("capture_wait", "preprocess", "queue", "infer", "decode", "send", "total")
COST = {
    "cpu_seconds_per_1000_inferences": 1234.5678,
    "upstream_bytes_per_1000_results": 123_456.0,
    "flash_bytes_per_1000_results": 1_234_567.0,
    "joules_per_1000_inferences": 1234.5,
}
HEAT = {
    "rung": 5,
    "rungs": 5,
    "does": "rate 25 %, 1 thread, small variant, low priority paused",
    "why": "83.9 C in 0:cpu-thermal, above 75; policy0 is capped at 1000 of 1800 MHz",
    "since_s": 86_400.0,
}
CALM = {"rung": 0, "rungs": 2, "does": "nothing held back", "why": "", "since_s": None}


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
        "twin": True,
        "fps": 29.9,
        "ledger": ledger,
        "restarts": 2,
        "latency": dict.fromkeys(STAGES, percentiles),
        "problem": "",
        "unwell": ["black", "blurred", "frozen", "moved"],
        "pace": {"fps": 7.5, "paused": False, "problem": ""},
        "cost": COST,
    }
    accelerator = {
        "name": "edgetpu",
        "state": "resting",
        "since_s": 4.2,
        "next_try_s": 26.0,
        "device": "USB 2-1, runtime 14",
        "incidents": {"died": 1, "garbage": 1, "load": 2, "overrun": 12, "refused": 1},
        "rung": 3,
        "restarts": 14,
        "blind_ms": 263.2,
        "blind_sum_ms": 81_263.0,
        "problem": "ended by SIGSEGV",
    }
    store = {"committed": 123_456, "acked": 0, "backlog": 123_456, "bytes": 7 << 20, "problem": ""}
    return {
        "device": "gate-1",
        "version": "0.1.0",
        "uptime_s": 86_400.0,
        "profile": "raspberry-pi-zero-2w",
        "pipelines": [pipeline],
        "accelerators": [accelerator],
        "store": {**store, "path": "/var/lib/edge-agent"},
        "link": {"state": "online", "broker": "broker.example:1883", "signed": True, **link},
        "governor": {"heat": HEAT, "memory": CALM},
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


def test_what_filters_held_back_is_told_and_an_older_agent_says_nothing() -> None:
    whole = status()
    assert not [line for line in _lines(whole) if "filtered" in line]
    whole["pipelines"][0]["ledger"]["filtered"] = {"change": 12, "debounce": 3}
    assert "    filtered 12 change, 3 debounce" in _lines(whole)


def test_a_command_that_waits_for_the_window_is_told_and_an_older_agent_says_nothing() -> None:
    whole = status()
    assert not [line for line in _lines(whole) if "command" in line]
    whole["commands"] = [{"id": "x", "op": "update", "waits": "it waits for the maintenance window"}]
    assert "  command update: it waits for the maintenance window" in _lines(whole)


def test_what_a_gate_or_a_rate_left_out_is_told() -> None:
    whole = status()
    assert not [line for line in _lines(whole) if "gated" in line]
    whole["pipelines"][0]["ledger"]["gated"] = 190
    assert "    gated 190: a gate or max_rate left them out" in _lines(whole)


def test_what_is_held_back_and_what_requests_cost_is_told() -> None:
    told = "\n".join(_lines(status()))
    assert "    held to 7.5 fps: the board does with less\n" in told
    assert "    1,000 inferences cost 1235 CPU s, 123 kB sent, 1235 kB to flash, 1234 J\n" in told
    assert "  heat: rate 25 %, 1 thread, small variant, low priority paused (rung 5 of 5)" in told
    assert "memory:" not in told


def test_a_pipeline_that_is_paused_says_so_and_an_older_agent_says_nothing() -> None:
    whole = status()
    whole["pipelines"][0] |= {"pace": {"fps": None, "paused": True}, "cost": {}}
    assert "    paused: the board does with less" in _lines(whole)
    del whole["governor"], whole["pipelines"][0]["pace"], whole["pipelines"][0]["cost"]
    assert not [line for line in _lines(whole) if "with less" in line or "cost" in line or "heat" in line]


def test_a_pipeline_on_its_twin_and_the_accelerator_that_it_waits_for_are_told() -> None:
    lines = _lines(status())
    assert [line for line in lines if line.endswith("fps  (twin)")]
    at = next(n for n, line in enumerate(lines) if "edgetpu" in line)
    assert [line.strip() for line in lines[at : at + 5]] == [
        "edgetpu          resting for 4 s  next try in 26 s",
        "USB 2-1, runtime 14",
        "incidents: died 1, garbage 1, load 2, overrun 12, refused 1",
        "rung 3  restarts 14  blind 263 ms, 81263 ms in all",
        "last problem: ended by SIGSEGV",
    ]


def test_what_a_worker_says_steers_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = status()
    whole["pipelines"][0] |= {"problem": "\x1b[2Jgone", "model": "\x1b]0;mine\x07@1"}
    monkeypatch.setattr(module, "ask", lambda *_: whole)
    module.main(Namespace(socket=Path("s"), json=False))
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())
