"""Asking a store while a real agent writes it: nothing is held up, nothing is misread."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from agent.cli import main
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FAST = 'source = { kind = "synthetic", width = 64, height = 64, fps = 400 }'


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main.run(list(arguments))
    return code, capsys.readouterr().out


def test_answers_come_beside_a_running_agent_that_rolls_and_evicts_and_never_notices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_AGENT__STORE__SEGMENT_BYTES", "65536")
    monkeypatch.setenv("EDGE_AGENT__STORE__MAX_AGE_H", "0.001")
    query = "SELECT count(*) AS n, max(seq) AS last, max(seq) - min(seq) + 1 AS span FROM results"
    with RunningAgent(tmp_path, FAST) as agent:
        agent.until_inferred(200)
        config = str(agent.config)
        seen: list[dict[str, Any]] = []
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            code, out = asked(capsys, "store", "verify", "-c", config)
            assert code == 0, out
            code, out = asked(capsys, "results", "-c", config, "--sql", query, "--stream", "result")
            assert code == 0
            seen.append(json.loads(out))
            status = agent.status()
            if status["store"]["streams"]["result"]["evicted"] and len(seen) > 5:
                break
        code, out = asked(capsys, "store", "purge", "--yes", "-c", config)
        assert code == 1
        assert status["store"]["streams"]["result"]["evicted"] > 0
        assert {name: status["events"].get(name, 0) for name in ("store.failed", "segment.missing")} == {
            "store.failed": 0,
            "segment.missing": 0,
        }
        agent.until_inferred(50)
        assert agent.end() == 0
    assert all(one["span"] - one["n"] in {0, 1} for one in seen)  # a ledger's note has a number, too
    assert [one["last"] for one in seen] == sorted(one["last"] for one in seen)
    assert seen[-1]["last"] > seen[0]["last"]
    code, out = asked(capsys, "store", "purge", "--yes", "--json", "-c", config)
    assert (code, json.loads(out)["records"] > 0) == (0, True)
