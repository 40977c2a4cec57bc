"""edge-agent probe, and doctor's word of accelerators: real processes, and libraries that lie."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from agent.boards.accelerators import Accelerator
from agent.probing.inspection import inspect
from agent.probing.passport import Passport
from agent.probing.trial import Outcome, TrialSpec, try_out
from agent.probing.verdicts import judge
from tests import runtimes
from tests.simulators.glyphs_answers import glyphs, inputs
from tests.simulators.lying_delegate import ANY, EDGE_TPU, LyingDelegate
from tests.simulators.namespaces import NAMESPACE, namespaces_needed

if TYPE_CHECKING:
    from pathlib import Path

    from agent.probing.passport import DelegatePart

LIMITS = {"open_s": 30, "load_s": 30}
HASTY = {"open_s": 1, "load_s": 1}


def agent(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=folder)


def profile(folder: Path, *entries: dict[str, Any], **keys: object) -> Path:
    """Write a profile; JSON's values are TOML's, but for objects."""
    lines = ['name = "bench"', 'description = "A bench"']
    lines += [f"{key} = {json.dumps(value)}" for key, value in {"tested": True, **keys}.items()]
    for entry in entries:
        lines += ["[[delegates]]", *(f"{key} = {_toml(value)}" for key, value in entry.items())]
    path = folder / "bench.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)


def liar(folder: Path, mode: str = "ok", **more: Any) -> dict[str, Any]:
    """An accelerator that knows the glyphs, and lies like that from now on."""
    model = glyphs()
    lying = LyingDelegate(folder, claims=ANY)
    lying.learn(model.data, inputs(model))
    lying.set(mode, 10)
    return lying.entry(**{"limits": LIMITS, **more})


def tried(entry: dict[str, Any], *models: str) -> DelegatePart:
    accelerator = Accelerator.model_validate(entry)
    looked = inspect(accelerator)
    spec = TrialSpec(accelerator=accelerator, models=models or ("glyphs",), runtime=runtimes.CHOSEN)
    return judge(looked, try_out(spec) if looked.presence.there else None)


def test_a_passport_says_what_this_machine_is_and_computes_and_goes_round_as_json(tmp_path: Path) -> None:
    out = tmp_path / "passport.json"
    done = agent("probe", "--json", "--out", str(out), folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert out.read_text() == done.stdout
    passport = Passport.model_validate_json(done.stdout)
    assert passport.text() == done.stdout
    assert (passport.v, passport.board.serial) == (1, None)
    assert passport.board.why
    assert passport.memory.total_mb > 0
    kernels = {one.title: one for one in passport.delegates if one.kind in {"xnnpack", "cpu"}}
    assert kernels.keys() == {"xnnpack", "cpu"}
    assert kernels["cpu"].delegated == (0, 7)
    assert kernels["cpu"].goldens == (5, 5)
    assert kernels["xnnpack"].floats == (1, 1)
    assert kernels["cpu"].first_ms is not None


def test_xnnpack_that_cannot_see_the_processor_is_told_to_have_switched_itself_off(tmp_path: Path) -> None:
    """As under systemd's ProcSubset=pid."""
    namespaces_needed(tmp_path)
    command = [
        *NAMESPACE, "--pid", "--fork", "sh", "-c",
        'mount -t proc -o subset=pid proc /proc && exec "$0" -m agent.cli.main probe --json', sys.executable,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [xnnpack] = [one for one in Passport.model_validate_json(done.stdout).delegates if one.kind == "xnnpack"]
    assert (xnnpack.verdict, xnnpack.floats) == ("idle", (0, 1))
    assert xnnpack.reason.startswith("it has switched itself off")


def test_the_page_for_people_fits_80_columns_and_says_why(tmp_path: Path) -> None:
    done = agent("probe", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("board     ")
    assert lines[1].startswith("          since ")
    assert any(line.startswith("cpu       works") for line in lines)


@pytest.mark.parametrize("wanted", ["bord", "./none.toml"])
def test_a_profile_that_is_not_there_is_a_wrong_configuration(wanted: str, tmp_path: Path) -> None:
    done = agent("probe", "--profile", wanted, folder=tmp_path)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("edge-agent: ")
    assert done.stderr.count("\n") == 1


def test_every_bad_library_is_a_reason_in_one_line_and_the_next_one_is_tried(tmp_path: Path) -> None:
    good = liar(tmp_path / "good", name="good")
    truncated = tmp_path / "truncated.so"
    library = LyingDelegate(tmp_path / "good").library
    truncated.write_bytes(library.read_bytes()[: library.stat().st_size // 2])
    entries = [
        {"kind": "external", "name": "missing", "options": {"library": "/nowhere/libx.so"}},
        {"kind": "external", "name": "truncated", "options": {"library": str(truncated)}},
        liar(tmp_path / "null", "null", name="null"),
        liar(tmp_path / "bad", name="bad", options={"options": {"colour": "red"}}),
        {"kind": "external", "name": "unclear", "options": {"libary": "x"}},
        {"kind": "flux", "name": "unknown"},
        liar(tmp_path / "crash", "crash_open", name="crash"),
        liar(tmp_path / "hang", "hang_open", name="hang", limits=HASTY),
        liar(tmp_path / "used", "crash_open", name="used"),
        good,
    ]
    path = profile(tmp_path, *entries)
    done = agent("probe", "--profile", str(path), "--without", "used", "--json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = {one.title: one for one in Passport.model_validate_json(done.stdout).delegates}
    assert [*found] == [str(entry["name"]) for entry in entries] + ["xnnpack", "cpu"]
    for name in ("missing", "truncated"):
        assert (found[name].verdict, found[name].stage) == ("missing", None), name
    assert (found["used"].verdict, found["used"].stage) == ("missing", None)
    assert found["used"].reason == "not tried: the running agent uses it"
    for name in ("unclear", "unknown"):
        assert (found[name].verdict, found[name].stage) == ("fails", None), name
    for name in ("null", "bad", "crash", "hang"):
        assert (found[name].verdict, found[name].stage) == ("fails", "open"), name
    for one in found.values():
        assert one.reason, one.title
        assert "\n" not in one.reason
    assert found["crash"].reason == "SIGSEGV while opening it"
    assert found["hang"].reason == "no answer for 1 s while opening it"
    assert "there is no 'flux'" in found["unknown"].reason
    assert "options.library of unclear: this key is missing" in found["unclear"].reason
    assert "libx.so" in found["missing"].reason
    assert "truncated.so" in found["truncated"].reason
    assert found["good"].verdict == "works"
    assert found["good"].delegated == (7, 7)
    assert found["good"].goldens == (5, 5)


@pytest.mark.parametrize(
    ("mode", "verdict", "stage", "said"),
    [
        ("slow", "works", "run", ""),
        ("garbage", "wrong", "run", "golden answers are wrong: 0.npy: "),
        ("refuse_prepare", "fails", "load", ""),
        ("refuse_invoke", "fails", "run", ""),
        ("crash", "fails", "run", "SIGSEGV at the first inferences"),
        ("hang", "fails", "run", "no answer for 1 s at the first inferences"),
        ("hang_gil", "fails", "run", "no answer for 1 s at the first inferences"),
    ],
)
def test_what_goes_wrong_after_it_was_opened_is_told_with_where(
    mode: str, verdict: str, stage: str, said: str, tmp_path: Path
) -> None:
    entry = liar(tmp_path, mode, limits=HASTY if mode.startswith("hang") else LIMITS)
    began = time.monotonic()
    found = tried(entry)
    assert (found.verdict, found.stage) == (verdict, stage), found.reason
    assert said in found.reason
    assert time.monotonic() - began < 30


def test_an_accelerator_that_takes_no_operator_is_idle(tmp_path: Path) -> None:
    lying = LyingDelegate(tmp_path, claims="nobodys-operator")
    model = glyphs()
    lying.learn(model.data, inputs(model))
    found = tried({**lying.entry(), "name": "idler"})
    assert (found.verdict, found.delegated) == ("idle", (0, 7))
    assert found.reason == "it takes none of the 7 operators of glyphs@1.0.0"


def test_without_a_model_that_is_compiled_for_it_an_accelerator_is_only_opened(tmp_path: Path) -> None:
    found = tried(LyingDelegate(tmp_path, claims=EDGE_TPU).entry())
    assert (found.verdict, found.stage, found.variant) == ("opens", "open", "edgetpu")
    assert "a bundle needs its variant edgetpu" in found.reason


@pytest.mark.shared
def test_a_model_that_is_compiled_for_the_edge_tpu_runs_on_its_stand_in(tmp_path: Path, shared: Path) -> None:
    from agent.backends import tflite

    models = shared / "models"
    twin = (models / "mobilenet_v1_0.25_128_quant.tflite").read_bytes()
    backend = tflite.build(runtimes.options(tflite.Options), twin)
    import numpy as np

    zeros = [tuple(np.zeros(one.shape, one.dtype) for one in backend.inputs)]
    backend.close()
    lying = LyingDelegate(tmp_path, claims=EDGE_TPU)
    lying.learn(twin, zeros)
    entry = lying.entry("edgetpu", limits=LIMITS)
    found = tried(entry, str(models / "mobilenet_v1_0.25_128_quant_edgetpu.tflite"))
    assert (found.verdict, found.stage) == ("works", "run"), found.reason
    assert found.delegated == (1, 1)
    assert found.goldens is None


def test_what_is_tried_may_read_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    """As in service: a library whose answers lie where its profile does not say cannot read them."""
    entry = liar(tmp_path / "lying")
    entry["options"]["read"] = []
    confined = tried(entry)
    assert confined.verdict == "fails"
    accelerator = Accelerator.model_validate(entry)
    free = try_out(TrialSpec(accelerator=accelerator, models=("glyphs",), confine=False))
    assert judge(inspect(accelerator), free).verdict == "works"


def test_a_process_that_cannot_be_started_is_a_reason() -> None:
    def refuse(module: str, orders: bytes) -> Any:
        raise OSError(11, "Resource temporarily unavailable")

    found = try_out(TrialSpec(accelerator=Accelerator(kind="cpu")), refuse)
    assert found == Outcome("start", problem="cannot start a process: Resource temporarily unavailable")


@pytest.mark.parametrize(
    ("keys", "there", "board", "accelerators"),
    [
        ({}, True, "ok", "ok"),
        ({}, False, "ok", "warn"),
        ({"tested": False}, True, "warn", "ok"),
    ],
)
def test_doctor_tells_of_the_board_and_of_accelerators_that_are_named_and_missing(
    keys: dict[str, object], there: bool, board: str, accelerators: str, tmp_path: Path
) -> None:
    from agent.cli import doctor
    from agent.cli.device.settings import Loaded

    entry = LyingDelegate(tmp_path / "lying").entry(name="npu")
    if not there:
        entry["options"]["library"] = "/nowhere/libnpu.so"
    profile(tmp_path, entry, **keys)
    config = tmp_path / "agent.toml"
    config.write_text(
        'profile = "./bench.toml"\n[store]\npath = "data"\n[[pipelines]]\nname = "door"\nmodel = "glyphs"\n'
        'source = { kind = "synthetic" }\n'
    )
    found = {check["check"]: check for check in doctor._board(Loaded(config).plan())}
    assert (found["board"]["verdict"], found["accelerators"]["verdict"]) == (board, accelerators)
    assert found["board"]["detail"].startswith("bench: it was asked for by name")
    assert found["accelerators"]["detail"].startswith(f"npu {'there' if there else 'missing'} (")
