"""What a device tells of its board, also when its disk does not answer."""

from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from agent.configuring.board import BoardFacts
from agent.events import counters

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_disk_that_does_not_answer_changes_nothing_and_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = SimpleNamespace(
        name="board", tested=True, memory=SimpleNamespace(budget=lambda _: 100), delegates=()
    )
    models = SimpleNamespace(max_bytes=1 << 30)
    plan: Any = SimpleNamespace(data=tmp_path, profile=profile, settings=SimpleNamespace(models=models))
    facts = BoardFacts(plan, ())
    known = facts.told(0.0).disk_mb
    assert known > 0

    def fails(_: Path) -> None:
        raise OSError(5, "Input/output error")

    before = counters["store.failed"]
    monkeypatch.setattr(shutil, "disk_usage", fails)
    assert facts.told(3600.0).disk_mb == known
    assert counters["store.failed"] == before + 1
