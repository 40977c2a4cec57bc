from __future__ import annotations

from typing import Any

from agent.activation.trial import Trial
from agent.workers.record import Record


def failed(*items: dict[str, Any]) -> Record:
    return Record(frame=0, captured_ns=0, kind="failed", items=list(items))


def test_a_cameras_fault_is_not_counted_against_the_model_on_trial() -> None:
    trial = Trial(None, 0.0)
    trial.saw(
        [failed({"reason": "black"}), failed({"reason": "decode"}), failed({"reason": ["x"]}), failed()]
    )
    assert (trial.good, trial.failed) == (0, 3)
