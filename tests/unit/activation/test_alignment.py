"""Results are counted by whether model, delegate and configuration are what policy wants."""

from __future__ import annotations

from typing import Any

import pytest

from agent.activation.alignment import Alignment
from agent.config.pipelines import Pipeline
from agent.documents.policy import Policy

CPU = Policy(delegates=("cpu", "xnn*"))


def pipeline(**more: Any) -> Pipeline:
    return Pipeline.model_validate({"name": "door", "model": "", "source": {"kind": "camera"}, **more})


@pytest.mark.parametrize(
    ("more", "approved", "delegate", "policy", "why"),
    [
        ({}, True, "xnnpack", CPU, None),
        ({}, True, "edgetpu", None, None),
        ({}, False, "xnnpack", CPU, "model"),
        ({}, True, "edgetpu", CPU, "delegate"),
        ({"task": "tensor"}, True, "cpu", CPU, "configuration"),
        ({"decoder": {"top_k": 1}}, True, "cpu", None, "configuration"),
        ({"labels": "mine.txt"}, False, "edgetpu", CPU, "model"),
    ],
)
def test_a_result_is_aligned_or_counted_under_the_first_reason(
    more: dict[str, Any],
    approved: bool,
    delegate: str,
    policy: Policy | None,
    why: str | None,
) -> None:
    counts = Alignment(pipeline(**more))
    assert counts.share is None
    counts.count(3, approved=approved, delegate=delegate, policy=policy)
    assert counts.aligned == (0 if why else 3)
    assert {key for key, count in counts.unaligned.items() if count} == ({why} if why else set())


def test_the_share_is_that_of_all_results() -> None:
    counts = Alignment(pipeline())
    counts.count(3, approved=True, delegate="cpu", policy=None)
    counts.count(1, approved=False, delegate="cpu", policy=None)
    assert counts.share == 0.75
