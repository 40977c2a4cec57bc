"""The agent as a program, told nonsense, or robbed of its folder."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from agent.errors import AgentError
from agent.supervision.control import ask
from tests.simulators import tiny_models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONFIG = """
[store]
path = "data"
[[pipelines]]
name = "cam"
model = "glyphs"
source = {{ kind = "synthetic", {source} }}
{more}
"""


def write(folder: Path, source: str = "fps = 100", more: str = "") -> Path:
    path = folder / "agent.toml"
    path.write_text(CONFIG.format(source=source, more=more))
    return path


def command(*words: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "agent.cli.main", *words]
    return subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def running(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    program = [sys.executable, "-m", "agent.cli.main", "run", "--config", str(config)]
    process = subprocess.Popen(program, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def status(folder: Path) -> dict[str, Any]:
    pipeline: dict[str, Any] = ask(folder / "data" / "agent.sock", {"op": "status"})["pipelines"][0]
    return pipeline


def wait_for(folder: Path, good: Callable[[dict[str, Any]], bool], seconds: float = 20.0) -> dict[str, Any]:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        try:
            found = status(folder)
        except AgentError:
            found = {}  # it does not listen yet
        if found and good(found):
            return found
        time.sleep(0.02)
    pytest.fail("it did not come to that")


def infers(pipeline: dict[str, Any]) -> bool:
    return bool(pipeline["ledger"]["inferred"] >= 10)


def test_the_agent_ends_when_its_data_folder_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(0o755)
    with running(write(tmp_path)) as process:
        wait_for(tmp_path, infers)
        files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
        assert [path for path in files if path.stat().st_mode & 0o077] == []  # whatever the folder allows
        (tmp_path / "data").rename(tmp_path / "gone")
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"it was removed or replaced while the agent ran" in errors


@pytest.mark.parametrize(
    ("source", "more", "code", "said"),
    [
        (
            "fps = -1",
            "",
            78,
            "agent.toml:7: pipelines.0.source.fps: Input should be greater than or equal to 0",
        ),
        ("fsp = 1", "", 78, "agent.toml:7: pipelines.0.source.fsp: there is no such key"),
        ("fps = 1", "[mqtt]\nprot = 1\n", 78, "mqtt.prot: there is no such key"),
        ("fps = 1", "task = 'detection'\n", 78, "the task wants four outputs"),
        ("fps = 1", "task = 'poems'\n", 78, "pipelines.0.task: there is no 'poems'"),
    ],
)
def test_a_wrong_configuration_is_told_in_one_line(
    tmp_path: Path, source: str, more: str, code: int, said: str
) -> None:
    config = write(tmp_path, source, more)
    for verb in ("check", "run"):
        found = command(verb, "--config", str(config))
        assert found.returncode == code, found.stderr
        assert "Traceback" not in found.stderr
        assert sum(said in line for line in found.stderr.splitlines()) == 1, found.stderr


@pytest.mark.parametrize("accelerator", [True, False])
def test_a_model_for_an_accelerator_only_is_checked_where_the_board_may_have_one(
    tmp_path: Path, accelerator: bool
) -> None:
    (tmp_path / "m.tflite").write_bytes(tiny_models.custom("edgetpu-custom-op"))
    delegates = '[[delegates]]\nkind = "edgetpu"\n' if accelerator else ""
    (tmp_path / "board.toml").write_text(f'name = "b"\ndescription = "b"\ntested = false\n{delegates}')
    config = write(tmp_path, more='model = "m.tflite"\ntask = "tensor"')
    config.write_text('profile = "./board.toml"\n' + config.read_text().replace('model = "glyphs"\n', ""))
    found = command("check", "--config", str(config))
    assert found.returncode == (0 if accelerator else 78), found.stderr
    said = "not tried: m runs on an accelerator only" if accelerator else "compiled for the Edge TPU"
    assert said in found.stdout + found.stderr


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.tflite", None, "there is no such file"),
        ("empty.tflite", b"", "the file is empty"),
        ("short.tflite", b"\x1c\0\0\0TFL3", "truncated"),
        ("text.tflite", b"hello, I am a poem" * 9, "not a TFLite model"),
    ],
)
def test_a_bad_model_is_told_in_one_line(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    golden = Path(__file__).parents[2] / "models" / "glyphs" / "golden" / "0.npy"
    found = command("infer", str(tmp_path / name), str(golden), "--task", "tensor")
    assert found.returncode == 1
    assert len(found.stderr.splitlines()) == 1, found.stderr
    assert said in found.stderr
    assert not found.stdout


def test_an_unreadable_picture_fails_alone(tmp_path: Path) -> None:
    golden = Path(__file__).parents[2] / "models" / "glyphs" / "golden" / "0.npy"
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    found = command("infer", "glyphs", str(golden), str(bad), str(golden))
    assert found.returncode == 1
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    assert [line["kind"] for line in lines] == ["classification", "failed", "classification"]
    assert str(bad) in lines[1]["error"]
    assert not found.stderr


def test_infer_takes_any_source_and_stops_after_the_frames_that_were_asked_for(tmp_path: Path) -> None:
    source = "synthetic:width=160,height=120,fps=500"
    found = command("infer", "glyphs", "--source", source, "--frames", "40", "--draw", str(tmp_path / "out"))
    assert found.returncode == 0
    assert [json.loads(line)["frame"] for line in found.stdout.splitlines()] == list(range(40))
    assert len(list((tmp_path / "out").iterdir())) == 40


def test_an_error_is_one_line_whatever_it_names() -> None:
    found = command("infer", "glyphs", "/dev/video\n7\x1b[2J")
    assert found.returncode == 1
    assert len(found.stderr.splitlines()) == 1
    assert "\x1b" not in found.stderr


def test_infer_words_a_wrong_option_of_a_source() -> None:
    found = command("infer", "glyphs", "--source", "synthetic:colour=red")
    assert found.returncode == 1
    assert found.stderr.startswith("edge-agent: read source.colour: ")
    assert "The keys are blur, fps" in found.stderr


def test_infer_draws_pictures_and_windows_of_samples(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "echo.tflite").write_bytes(tiny_models.echo("float32", (1, 64, 3)))
    np.save(tmp_path / "window.npy", rng.normal(size=(64, 3)).astype(np.float32))
    np.save(tmp_path / "picture.npy", rng.integers(0, 255, (48, 64, 3), np.uint8))
    out = tmp_path / "out"
    for model, name in (("glyphs", "picture"), (str(tmp_path / "echo.tflite"), "window")):
        task = ["--task", "tensor"] if name == "window" else []
        done = command("infer", model, str(tmp_path / f"{name}.npy"), "--draw", str(out), *task)
        assert (done.returncode, done.stderr) == (0, "")
    pictures = {path.name: cv2.imread(str(path)) for path in out.iterdir()}
    assert pictures.keys() == {"00000-picture.png", "00000-window.png"}
    assert all(picture is not None and picture.std() > 1 for picture in pictures.values())
