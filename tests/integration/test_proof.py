"""A model is proved by a real worker: what passes, what is refused, and by which rule."""

from __future__ import annotations

import json
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from agent import foreground, resources
from agent.config.tables import Deadlines
from agent.errors import BundleRefused, ConfigInvalid, LaneCrashed
from agent.manifest import digest
from agent.workers.proof import Proof
from agent.workers.spec import LaneSpec
from tests.simulators import moody_backend
from tests.simulators.moody_bundles import bundle

if TYPE_CHECKING:
    from pathlib import Path

    from agent.workers.messages import Proved
    from agent.workers.process import WorkerProcess

SPEC = LaneSpec(pipeline="door", model="glyphs", source="camera", source_options={"device": "/dev/none"})


def proved(model: Path | str, **changes: Any) -> Proved:
    return foreground.prove(SPEC.model_copy(update={"model": str(model), **changes}), Deadlines())


def refused(model: Path | str, **changes: Any) -> BundleRefused:
    with pytest.raises(BundleRefused) as caught:
        proved(model, **changes)
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


def changed(folder: Path, **manifest: Any) -> Path:
    """Copy the bundle of the glyphs, with some of its manifest changed."""
    shutil.copytree(resources.bundled_models()["glyphs"], folder)
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **manifest}))
    return folder


def test_a_good_model_is_proved_and_what_it_costs_is_told(tmp_path: Path) -> None:
    folder = changed(tmp_path / "glyphs", budget={"p95_ms": 1000, "rss_mb": 200})
    named = digest((folder / "manifest.json").read_bytes())
    found = proved(folder, digest=named, serving_task="classification")
    assert (found.model, found.bundle, found.task) == ("glyphs@1.0.0", named, "classification")
    assert found.goldens == 5
    assert found.runs >= 50
    assert 0 < found.p50_ms <= found.p95_ms < 1000
    assert 0 < found.rss_mb < 200
    assert found.delegated == (6, 7)


def golden(**changes: Any) -> list[dict[str, Any]]:
    manifest = json.loads((resources.bundled_models()["glyphs"] / "manifest.json").read_text())
    found: list[dict[str, Any]] = manifest["golden"]
    found[2] |= changes
    return found


def io(**changes: Any) -> dict[str, Any]:
    manifest = json.loads((resources.bundled_models()["glyphs"] / "manifest.json").read_text())
    found: dict[str, Any] = manifest["io"]
    found["inputs"][0] |= changes
    return found


@pytest.mark.parametrize(
    ("manifest", "rule", "words"),
    [
        ({"golden": golden(expect=[{"label": "cat"}])}, "golden", "label is house in place of cat"),
        ({"budget": {"p95_ms": 1e-6}}, "budget", "the 95th percentile of an inference is"),
        ({"budget": {"rss_mb": 0.001}}, "budget", "the memory that it takes is"),
        ({"io": io(name="other")}, "contract", "its name is image, its manifest says other"),
        ({"io": io(dtype="uint8")}, "contract", "its dtype is int8"),
        ({"io": io(shape=[1, 32, 32, 3])}, "contract", "its shape is"),
        ({"io": io(scale=[0.5])}, "contract", "it is quantized otherwise"),
        ({"labels": None}, "", ""),
        ({"task": "detection", "post": None}, "contract", "the task wants"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_a_model_that_breaks_a_promise_is_refused_by_the_rule(
    tmp_path: Path, manifest: dict[str, Any], rule: str, words: str
) -> None:
    folder = changed(tmp_path / "glyphs", **manifest)
    if not rule:  # without labels the golden answers have no names
        assert refused(folder).rule == "golden"
        return
    error = refused(folder)
    assert error.rule == rule
    assert words in error.problem


def test_labels_that_are_not_as_many_as_the_classes_are_refused(tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("one\ntwo\n")
    error = refused("glyphs", labels=str(labels))
    assert error.rule == "contract"
    assert "2 labels for 10 classes" in error.problem


@pytest.mark.parametrize("key", ["task", "serving_task"])
def test_a_model_for_another_task_than_the_pipelines_is_refused(key: str) -> None:
    error = refused("glyphs", **{key: "detection"})
    assert error.rule == "contract"
    assert "its task is classification, the pipeline's is detection" in error.problem


def test_what_the_pipeline_has_the_decoder_leave_out_does_not_fail_a_golden_answer() -> None:
    assert proved("glyphs", decoder={"min_score": 1.0, "top_k": 1}).goldens == 5


def test_a_bundle_that_is_not_the_one_that_was_vouched_for_is_refused_unread(tmp_path: Path) -> None:
    error = refused(changed(tmp_path / "glyphs"), digest="0" * 64)
    assert error.rule == "load"
    assert "was vouched for" in error.problem


def test_a_wrong_option_of_the_pipeline_is_no_fault_of_the_bundle() -> None:
    with pytest.raises(ConfigInvalid, match="threads"):
        proved("glyphs", backend_options={"threads": -1})


@pytest.fixture
def moody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "executable", moody_backend.installed(tmp_path / "plugins"))
    return tmp_path / "bundles"


@pytest.mark.parametrize("when", ["load", "run"])
@pytest.mark.parametrize(
    ("how", "words"), [("crash", "SIGSEGV"), ("hang", "it hung for 0."), ("bug", "a bug of the backend")]
)
def test_a_model_that_crashes_or_hangs_costs_its_proof_only(
    moody: Path, when: str, how: str, words: str
) -> None:
    path, named = bundle(moody, "new", None, value=1, **{when: how})
    spec = SPEC.model_copy(update={"model": path, "digest": named, "backend": "moody"})
    began = time.monotonic()
    with pytest.raises(LaneCrashed, match=words):
        foreground.prove(spec, Deadlines(load_s=0.4, invoke_s=0.4))
    assert time.monotonic() - began < 15


def test_a_model_that_fails_to_run_is_refused(moody: Path) -> None:
    path, named = bundle(moody, "new", None, value=1, run="fail")
    error = refused(path, digest=named, backend="moody")
    assert error.rule == "load"
    assert "it is in a mood" in error.problem


def test_a_slow_model_is_timed_for_a_few_seconds_only(moody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.workers.proof._TICK_S", 0.05)
    path, named = bundle(moody, "new", {"budget": {"p95_ms": 5}}, value=1, seconds=0.02)
    error = refused(path, digest=named, backend="moody")
    assert error.rule == "budget"
    assert "its budget is 5 ms" in error.problem


def test_a_proof_that_takes_too_long_as_a_whole_is_ended(moody: Path) -> None:
    path, named = bundle(moody, "new", None, value=1, seconds=0.05)
    spec = SPEC.model_copy(update={"model": path, "digest": named, "backend": "moody"})
    proof = Proof(spec, Deadlines(), limit_s=1.0)
    proof.start(time.monotonic())
    process = proof.process
    assert process is not None
    while proof.outcome is None:
        follow(proof)
    assert isinstance(proof.outcome, LaneCrashed)
    assert "longer than 1 s" in proof.outcome.problem
    assert proof.process is None
    assert gone(process)


def follow(proof: Proof) -> None:
    foreground._follow(proof)


def gone(process: WorkerProcess) -> bool:
    return process.exit_code() is not None
