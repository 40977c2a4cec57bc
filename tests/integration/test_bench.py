"""edge-agent bench: real models in real processes, what it keeps, and an agent that runs models so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from agent import resources
from agent.boards.machine import machine
from agent.cli.device.settings import Loaded
from agent.cli.main import run
from agent.store.kept import read_kept
from agent.supervision.tunings import Keep, keep
from agent.tuning import bench
from tests import runtimes
from tests.simulators.running_agent import CAMERA, PROGRAM, RunningAgent

GLYPHS = resources.bundled_models()["glyphs"]
PIPELINE = f'{CAMERA}\nbackend = {{ kind = "tflite", runtime = "{runtimes.CHOSEN}" }}'
DELEGATE = "cpu" if runtimes.SECOND else "xnnpack"
"""What runs glyphs by default: tflite-runtime hands no quantized operator to XNNPACK."""
QUICK = ("--seconds", "0.2", "--threads", "1", "--runtime", runtimes.CHOSEN)


def asked(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert run(["bench", *arguments]) == code
    out, err = capsys.readouterr()
    return err if code else out


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(asked(capsys, *arguments, "--json"))
    return found


def settled(folder: Path, pipeline: str = PIPELINE) -> RunningAgent:
    """An agent with its configuration written, and not started."""
    (folder / "data").mkdir(exist_ok=True)
    return RunningAgent(folder, pipeline)


def configured(folder: Path) -> Path:
    """The same for an agent that is not to run."""
    (folder / "data").mkdir()
    path = folder / "offline.toml"
    path.write_text(
        f'[store]\npath = "{folder}/data"\n[[pipelines]]\nname = "door"\nmodel = "glyphs"\n{PIPELINE}\n'
    )
    return path


def builtin(agent: RunningAgent) -> None:
    """Keep for glyphs what nobody would choose: it shows as the delegate "cpu"."""
    plan = Loaded(agent.config).plan()
    found = json.loads(subprocess.check_output([*PROGRAM, "bench", "glyphs", *QUICK, "--json"]))["models"][0]
    choice = Keep(
        sha256=found["sha256"],
        runtime=found["runtime"],
        board=plan.profile.name,
        machine=machine(),
        model=found["model"],
        threads=1,
        xnnpack=False,
        figures="{}",
    )
    keep(plan, choice)


def test_every_way_is_measured_in_as_many_rounds_and_said_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    told = as_json(capsys, "glyphs", *QUICK, "--threads", "1,2")
    assert told["machine"] == machine()
    assert {"agent", "board", "python"} < told.keys()
    [model] = told["models"]
    assert (model["model"], model["whole"], model["choice"]) == ("glyphs@1.0.0", True, None)
    assert len(model["sha256"]) == 64
    assert model["size"] == (GLYPHS / "glyphs.tflite").stat().st_size
    ways = {(one["threads"], one["xnnpack"]): one for one in model["settings"]}
    assert ways.keys() == {(1, True), (1, False), (2, True), (2, False)}
    assert [one["default"] for one in model["settings"]] == [True, False, False, False]
    [rounds] = {one["rounds"] for one in ways.values()}
    assert 6 <= rounds <= bench.ROUNDS  # fewer on a busy machine
    for (_, xnnpack), one in ways.items():
        assert one["problem"] == ""
        assert 0 < one["p50_ms"] <= one["p95_ms"] <= one["p99_ms"]
        assert one["fps"] > 0
        assert one["load_ms"] > 0
        assert one["first_ms"] > 0
        assert one["process_mb"] > 10
        assert one["goldens"] == 5
        assert len(one["p95_ms_by_round"]) == rounds
        assert (one["delegated"][0] > 0) is (xnnpack and not runtimes.SECOND)


def test_the_table_fits_an_issue_and_names_model_runtime_and_machine(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = asked(capsys, "glyphs", *QUICK)
    assert max(map(len, text.splitlines())) <= 80
    assert text.isascii()
    flat = " ".join(text.split())
    for part in ("glyphs@1.0.0", "sha256 ", "Python 3.", machine(), "*xnnpack 1", "builtin 1", "p50 p95 p99"):
        assert part in flat


def test_what_cannot_be_measured_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes((GLYPHS / "glyphs.tflite").read_bytes()[:3000])
    config = str(configured(tmp_path))
    for arguments, code, words in (
        ([str(damaged), *QUICK], 1, "load model"),
        (["nosuch", *QUICK], 1, "nosuch"),
        ([], 78, "none is named"),
        (["glyphs", "--delegate", "nosuch"], 78, "has no such delegate. Use one of: cpu"),
        (["--forget", "nosuch", "--config", config], 1, "nothing was chosen for it"),
    ):
        told = asked(capsys, *arguments, code=code)
        assert words in told
        assert len(told.splitlines()) == 1


def test_what_is_chosen_is_kept_listed_used_at_the_next_start_and_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ("--config", str(configured(tmp_path)))
    [model] = as_json(capsys, "door", "--tune", *QUICK, *config)["models"]
    [kept] = read_kept(tmp_path / "data").tuned
    assert model["choice"]["why"]
    assert (kept.sha256, kept.runtime, kept.model) == (model["sha256"], model["runtime"], "glyphs@1.0.0")
    assert (kept.threads, kept.xnnpack) == (model["choice"]["threads"], model["choice"]["xnnpack"])
    figures = json.loads(kept.figures)
    assert figures["p95_ms"] > 0
    assert figures["goldens"] == 5
    assert abs(kept.wall_ns - time.time_ns()) < 60e9
    [listed] = as_json(capsys, "--tuned", *config)["tuned"]
    assert (listed["sha256"], listed["here"], listed["figures"]) == (kept.sha256, True, figures)
    assert "glyphs@1.0.0" in asked(capsys, "--tuned", *config)
    with settled(tmp_path) as agent:
        assert agent.until(lambda one: one["state"] == "running")["tuned"] is True
        assert agent.end() == 0
    assert "forgotten: glyphs@1.0.0" in asked(capsys, "glyphs", "--forget", *config)
    assert read_kept(tmp_path / "data").tuned == ()
    with settled(tmp_path) as agent:
        assert agent.until(lambda one: one["state"] == "running")["tuned"] is False


@pytest.mark.parametrize(("options", "delegate"), [("", "cpu"), (", threads = 1", DELEGATE)])
def test_a_choice_is_used_where_the_configuration_does_not_say(
    tmp_path: Path, options: str, delegate: str
) -> None:
    pipeline = f'{CAMERA}\nbackend = {{ kind = "tflite", runtime = "{runtimes.CHOSEN}"{options} }}'
    agent = settled(tmp_path, pipeline)
    builtin(agent)
    with agent:
        found = agent.until(lambda one: one["state"] == "running")
        assert (found["delegate"], found["tuned"]) == (delegate, not options)


def test_a_running_agent_keeps_a_choice_and_its_next_worker_uses_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with settled(tmp_path) as agent:
        first = agent.until(lambda one: one["state"] == "running")
        assert (first["delegate"], first["tuned"]) == (DELEGATE, False)
        builtin(agent)
        [listed] = as_json(capsys, "--tuned", "--config", str(agent.config))["tuned"]
        assert (listed["model"], listed["xnnpack"]) == ("glyphs@1.0.0", False)
        os.kill(first["pid"], signal.SIGKILL)
        found = agent.until(lambda one: one["state"] == "running" and one["pid"] != first["pid"])
        assert (found["delegate"], found["tuned"]) == ("cpu", True)
        assert agent.end() == 0
    [kept] = read_kept(tmp_path / "data").tuned
    assert kept.xnnpack is False


def test_ctrl_c_ends_it_with_what_was_measured_so_far(tmp_path: Path) -> None:
    command = [*PROGRAM, "bench", "glyphs", "shapes", "--seconds", "60", "--threads", "1", "--json"]
    with (tmp_path / "err").open("w") as err, subprocess.Popen(command, stdout=-1, stderr=err) as process:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and len(children(process.pid)) < 2:
            time.sleep(0.05)
        time.sleep(1.5)
        started = children(process.pid)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    [model] = json.loads(out)["models"]
    assert (model["name"], model["whole"]) == ("glyphs", False)
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.shared
def test_a_bare_models_outputs_are_compared_with_the_defaults(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [model] = as_json(capsys, str(shared / "models" / "kws_ref_model.tflite"), *QUICK)["models"]
    assert model["model"] == "kws_ref_model@0"
    assert [(one["goldens"], one["checked"], one["problem"]) for one in model["settings"]] == [
        (0, False, ""),
        (0, True, ""),
    ]
