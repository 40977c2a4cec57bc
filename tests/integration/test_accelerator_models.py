"""Models come and go on an accelerator: swaps, proofs, bare models, and several pipelines at once."""

from __future__ import annotations

import json
import shutil
import signal
from typing import TYPE_CHECKING, Any

import pytest

from agent.manifest import entry
from agent.sources.pictures.picture import read_picture
from agent.types import Frame
from agent.workers import messages
from agent.workers.program import engines
from agent.workers.program.goldens import fixed_input
from agent.workers.spec import LaneSpec
from tests import runtimes
from tests.simulators import recurrent
from tests.simulators.accelerator_desk import Desk, Station
from tests.simulators.lying_delegate import LyingDelegate
from tests.simulators.lying_glyphs import GLYPHS, LIMITS, SPEC, TITLE, desk, learned, right

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CPU = {"kind": "cpu", "recheck_s": 0}


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> LyingDelegate:
    return learned(tmp_path_factory.mktemp("liar"))


@pytest.fixture
def liar(learnt: LyingDelegate) -> Iterator[LyingDelegate]:
    learnt.heal()
    yield learnt
    learnt.heal()


def camera(**changes: Any) -> LaneSpec:
    """A pipeline with a camera of glyphs."""
    return LaneSpec(
        pipeline="door",
        model="glyphs",
        backend_options={"runtime": runtimes.CHOSEN},
        source="synthetic",
        source_options={"width": 64, "height": 64, "fps": 200},
    ).model_copy(update=changes)


def changed(folder: Path, **manifest: Any) -> Path:
    """Copy the bundle of the glyphs, with some of its manifest changed."""
    shutil.copytree(GLYPHS, folder)
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **manifest}))
    return folder


def test_a_swap_and_a_swap_back_on_an_accelerator_lose_nothing(tmp_path: Path) -> None:
    bundles = tmp_path / "data" / "models" / "bundles"
    other = changed(bundles / "other", version="2.0.0")
    spec = camera(bundles=str(bundles), hidden=(str(tmp_path / "data"),))
    with Desk(CPU) as one, Station(spec) as station:
        one.opened()
        station.lend(one)
        station.until(lambda: station.of(messages.Accelerated))
        station.frames("cpu")
        for token, model in enumerate((str(other), "glyphs", str(other)), 1):
            station.tell(type="swap", model=model, digest="", token=token)
            station.until(lambda token=token: len(station.of(messages.Accelerated)) == token + 1)  # type: ignore[misc]
            station.frames("cpu")
    assert [said.model for said in station.of(messages.Swapped)] == [
        "glyphs@2.0.0",
        "glyphs@1.0.0",
        "glyphs@2.0.0",
    ]
    order = [said.type for said in station.said if said.type in {"swapped", "accelerated"}]
    assert order == ["accelerated", *["swapped", "accelerated"] * 3]
    assert {said.goldens for said in station.of(messages.Accelerated)} == {5}
    assert not station.of(messages.Incident)
    ledger = station.of(messages.Ended)[0].ledger.ledger()
    assert (ledger.captured, ledger.failed) == (ledger.settled, {})
    assert len(station.work) == ledger.inferred


def test_a_swap_after_an_incident_goes_to_the_twin_and_tells_no_other_incident(tmp_path: Path) -> None:
    bundles = tmp_path / "data" / "models" / "bundles"
    other = changed(bundles / "other", version="2.0.0")
    spec = camera(bundles=str(bundles), hidden=(str(tmp_path / "data"),))
    with Desk(CPU) as one, Station(spec) as station:
        one.opened()
        station.lend(one)
        station.until(lambda: station.of(messages.Accelerated))
        station.frames("cpu")
        one.kill()
        station.until(lambda: station.of(messages.Regained))
        station.tell(type="swap", model=str(other), digest="", token=1)
        station.until(lambda: station.of(messages.Swapped))
        station.frames(station.of(messages.Swapped)[0].delegate, 50)
    assert [said.kind for said in station.of(messages.Incident)] == ["died"]
    assert len(station.of(messages.Accelerated)) == 1


def test_two_pipelines_share_an_accelerator_and_one_that_dies_costs_the_other_nothing(
    liar: LyingDelegate,
) -> None:
    with desk(liar) as one, Station(SPEC) as first, Station(SPEC) as second:
        one.opened()
        first.lend(one)
        first.frames(TITLE)
        second.lend(one)
        second.frames(TITLE)
        first.frames(TITLE)
        second.process.signal(signal.SIGKILL)
        second.until(lambda: second.process.exit_code() is not None)
        first.frames(TITLE, 50)
    for station in (first, second):
        assert all(right(record) for _, record in station.work)
        assert not station.of(messages.Incident)


def test_a_newer_connection_takes_the_place_of_the_older(liar: LyingDelegate) -> None:
    with desk(liar) as one, desk(liar) as two, Station(SPEC) as station:
        one.opened()
        two.opened()
        station.lend(one)
        station.frames(TITLE)
        station.lend(two)
        station.until(lambda: len(station.of(messages.Accelerated)) == 2)
        one.kill()
        station.frames(TITLE, 50)
    assert [said.generation for said in station.of(messages.Accelerated)] == [1, 2]
    assert not station.of(messages.Incident)
    assert all(right(record) for _, record in station.work)


@pytest.mark.parametrize("when", ["before it is ready", "while it loads"])
def test_what_is_taken_back_before_it_serves_is_not_used(when: str, liar: LyingDelegate) -> None:
    if when == "while it loads":
        liar.set("hang_prepare")
    with desk(liar) as one, Station(SPEC) as station:
        one.opened()
        if when == "while it loads":
            station.until(lambda: station.of(messages.Ready))
        station.lend(one)
        if when == "while it loads":
            station.until(lambda: liar.counted("prepare") > 0)
        station.tell(type="relieve", generation=station.generation)
        station.until(lambda: station.of(messages.Ready))
        station.frames(station.of(messages.Ready)[0].delegate, 50)
    assert not station.of(messages.Accelerated)
    assert not station.of(messages.Incident)


def test_a_pipeline_that_wants_the_cpu_takes_no_accelerator() -> None:
    options = {"runtime": runtimes.CHOSEN, "delegate": "cpu"}
    with Desk({**CPU, "name": "other"}) as one, Station(camera(backend_options=options)) as station:
        one.opened()
        station.lend(one)
        station.frames("cpu", 20)
    assert not station.of(messages.Accelerated)


def test_a_bare_model_is_compared_with_what_the_cpu_makes_of_it() -> None:
    spec = camera(model=str(GLYPHS / "glyphs.tflite"), task="classification")
    with Desk(CPU) as one, Station(spec) as station:
        one.opened()
        station.lend(one, recheck_s=0.05)
        station.frames("cpu", 40)
    [said] = station.of(messages.Accelerated)
    assert said.goldens == 0
    assert not station.of(messages.Incident)


def test_what_a_model_remembers_goes_with_it_to_the_accelerator_and_back(tmp_path: Path) -> None:
    path = tmp_path / "counter.tflite"
    path.write_bytes(recurrent.counter())
    with Desk(CPU) as one, Station(camera(model=str(path), task="tensor", pre=recurrent.PRE)) as station:
        one.opened()
        station.lend(one)
        station.until(lambda: station.of(messages.Accelerated))
        station.frames("cpu", 20)
        one.kill()
        station.until(lambda: station.of(messages.Regained))
        station.frames(station.of(messages.Ready)[0].delegate, 20)
    counted = [record.items[0]["values"] for _, record in station.work]
    assert counted == [[number] for number in range(1, len(counted) + 1)]


def test_a_variant_runs_on_the_accelerator_that_wants_it(tmp_path: Path, liar: LyingDelegate) -> None:
    manifest = json.loads((GLYPHS / "manifest.json").read_text())
    content = (GLYPHS / "glyphs.tflite").read_bytes()
    files = [*manifest["files"], entry("e.tflite", content).model_dump(mode="json")]
    folder = changed(tmp_path / "glyphs", files=files, variants={"edgetpu": "e.tflite"})
    (folder / "e.tflite").write_bytes(content)
    options = {**liar.entry()["options"], "variant": "edgetpu"}
    with Desk({"kind": "external", "name": TITLE, "options": options}) as one:
        one.opened()
        with Station(SPEC.model_copy(update={"model": str(folder)})) as station:
            station.lend(one)
            station.frames(TITLE)
        (folder / "e.tflite").write_bytes(content[:-1] + b"!")
        with Station(SPEC.model_copy(update={"model": str(folder)})) as tampered:
            tampered.lend(one)
            tampered.until(lambda: tampered.of(messages.Relieved))
    [said] = tampered.of(messages.Relieved)
    assert (said.reason, "its sha256 is" in said.problem) == ("unfit", True)


@pytest.mark.shared
def test_a_model_that_runs_on_the_edge_tpu_only_waits_for_it_and_has_no_answer_without(
    tmp_path: Path, shared: Path
) -> None:
    """A stand-in for the Edge TPU, which replays what the model's version for the CPU gives."""
    liar = LyingDelegate(tmp_path)
    twin = shared / "models/mobilenet_v1_0.25_128_quant.tflite"
    liar.learn(twin.read_bytes(), pictures_for(twin))
    model = str(twin.with_stem(f"{twin.stem}_edgetpu"))
    spec = SPEC.model_copy(update={"model": model, "task": "classification", "accelerated": True})
    entry = liar.entry("edgetpu", name=TITLE, limits={**LIMITS, "invoke_s": 5}, recheck_s=0)
    with Desk(entry) as one, Station(spec) as station:
        one.opened()
        station.frames("none", 3)
        station.lend(one)
        station.frames(TITLE, 5)
        liar.set("crash")
        station.until(lambda: station.of(messages.Incident))
        station.frames("none", 3)
    for delegate, record in station.work:
        assert record.kind == ("failed" if delegate == "none" else "classification")
    [said] = station.of(messages.Incident)
    assert (said.kind, said.twin) == ("died", False)
    ledger = station.of(messages.Ended)[0].ledger.ledger()
    assert set(ledger.failed) == {"accelerator"}
    assert ledger.balanced


def pictures_for(model: Path) -> list[tuple[Any]]:
    """Prepare the pictures that the pipeline shows."""
    spec = SPEC.model_copy(update={"model": str(model), "task": "classification"})
    loaded = engines.model_of(spec)
    engine = engines.engine(spec, loaded, engines.backend_of(spec, loaded))
    seen = []
    for path in sorted((GLYPHS / "golden").iterdir()):
        engine.prepare(Frame(0, 0, read_picture(str(path))), engine.buffers[0])
        seen.append((engine.buffers[0][0].copy(),))
    seen.append((fixed_input(engine.backend.inputs[0]),))  # what it is warmed up with
    engine.backend.close()
    return seen


def test_a_model_is_proved_on_the_accelerator_that_is_lent(liar: LyingDelegate) -> None:
    with desk(liar) as one, Station(SPEC.model_copy(update={"prove": True, "lent": True})) as station:
        one.opened()
        station.lend(one)
        station.until(lambda: station.of(messages.Proved) or station.of(messages.Fault))
        station.until(lambda: station.process.exit_code() is not None)
    [said] = station.of(messages.Proved)
    assert (said.delegate, said.goldens) == (TITLE, 5)
    assert said.delegated[0] > 0
    assert said.runs >= 50


@pytest.mark.parametrize(
    ("mode", "error", "rule"),
    [
        ("garbage", "BundleRefused", "golden"),
        ("refuse_prepare", "BundleRefused", "load"),
        ("crash", "DelegateLost", ""),
        ("hang", "DelegateLost", ""),
    ],
)
def test_a_proof_tells_a_wrong_model_from_an_accelerator_that_fails(
    mode: str, error: str, rule: str, liar: LyingDelegate
) -> None:
    liar.set(mode)
    limits = {"invoke_s": 0.3, "load_s": 0.5}
    spec = SPEC.model_copy(update={"prove": True, "lent": True})
    with desk(liar, limits=limits) as one, Station(spec) as station:
        one.opened()
        station.lend(one)
        station.until(lambda: station.of(messages.Fault) or station.of(messages.Proved))
        station.until(lambda: station.process.exit_code() is not None)
    [said] = station.of(messages.Fault)
    assert (said.error, said.rule) == (error, rule)
