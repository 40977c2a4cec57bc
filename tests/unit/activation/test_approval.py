"""Bundles are judged by today's policy, and results counted by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.activation.approval import Approval
from agent.activation.files import make_room, missing
from agent.config.pipelines import Pipeline
from agent.documents.policy import Policy
from agent.slots import SlotRow
from tests.simulators.moody_bundles import bundle

if TYPE_CHECKING:
    from pathlib import Path

DOOR = Pipeline.model_validate({"name": "door", "model": "", "source": {"kind": "camera"}})


def row(digest: str) -> SlotRow:
    return SlotRow("door", "active", digest, "one", "1", "active")


def told(approval: Approval) -> dict[str, float]:
    return {one["name"]: one["value"] for one in approval.numbers("door")}


def test_a_bundle_is_judged_anew_when_the_policy_changes(tmp_path: Path) -> None:
    _, digest = bundle(tmp_path, "one", None, value=1)
    approval = Approval(tmp_path, [DOOR])
    assert approval.judge(row(digest)) is None
    approval.policy = Policy(quantized_only=True)
    refusal = approval.judge(row(digest))
    assert refusal is not None
    assert refusal.rule == "policy.quantized_only"
    approval.policy = Policy(names=("one",))
    assert approval.judge(row(digest)) is None
    assert approval.judge(row("0" * 64)) is None


def test_a_bundle_that_nobody_vouches_for_any_more_is_refused_until_somebody_does(tmp_path: Path) -> None:
    _, digest = bundle(tmp_path, "one", None, value=1)
    approval = Approval(tmp_path, [DOOR])
    approval.withdraw([digest])
    refusal = approval.judge(row(digest))
    assert refusal is not None
    assert refusal.rule == "revoked"
    approval.count("door", 1, digest, "cpu")
    assert told(approval)["policy_alignment"] == 0
    approval.withdraw([])
    assert approval.judge(row(digest)) is None


def test_results_are_counted_by_their_bundle(tmp_path: Path) -> None:
    _, digest = bundle(tmp_path, "one", None, value=1)
    approval = Approval(tmp_path, [DOOR])
    assert "policy_alignment" not in told(approval)
    approval.count("door", 3, digest, "cpu")
    approval.count("door", 1, "", "cpu")
    approval.policy = Policy(names=("two",))
    approval.count("door", 4, digest, "cpu")
    found = told(approval)
    assert found["results_aligned_total"] == 3
    assert found['results_unaligned_total{why="model"}'] == 5
    assert found["policy_alignment"] == 0.375


def test_what_is_missing_of_a_bundle_is_seen_by_name_and_size(tmp_path: Path) -> None:
    path, digest = bundle(tmp_path, "one", None, value=1)
    assert missing(tmp_path, digest) == ""
    model = tmp_path / digest / "m.tflite"
    model.write_bytes(model.read_bytes()[:-1])
    assert "bytes in place of" in missing(tmp_path, digest)
    model.unlink()
    assert "No such file" in missing(tmp_path, digest)
    assert "manifest" in missing(tmp_path, "0" * 64)
    del path


def test_the_folder_of_models_is_nobody_elses(tmp_path: Path) -> None:
    bundles = tmp_path / "models" / "bundles"
    make_room(bundles)
    make_room(bundles)
    assert [oct(folder.stat().st_mode & 0o777) for folder in (bundles, bundles.parent)] == ["0o700"] * 2
    make_room(tmp_path / "away" / "models" / "bundles")
