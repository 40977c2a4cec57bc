from __future__ import annotations

from typing import Any

from agent.activation.trial import Trial, promised_ms
from agent.workers.record import Record


def failed(*items: dict[str, Any]) -> Record:
    return Record(frame=0, captured_ns=0, kind="failed", items=list(items))


def test_a_cameras_fault_is_not_counted_against_the_model_on_trial() -> None:
    trial = Trial(None, 0.0)
    trial.saw(
        [failed({"reason": "black"}), failed({"reason": "decode"}), failed({"reason": ["x"]}), failed()]
    )
    assert (trial.good, trial.failed) == (0, 3)


def test_a_quick_proof_promises_no_less_than_a_busy_board_can_keep() -> None:
    assert (promised_ms(None, 0.2), promised_ms(None, 8.0), promised_ms(0.5, 8.0)) == (5.0, 8.0, 0.5)
