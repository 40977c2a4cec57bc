"""The accelerator that lies does what each of its modes says; each time in a process that may die of it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.backends._runtimes import choose
from tests import runtimes
from tests.simulators import tiny_models
from tests.simulators.lying_delegate import ANY, EDGE_TPU, LyingDelegate, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPE = (1, 2, 3, 4)
RIGHT = list(range(24))
ROOT = Path(__file__).resolve().parents[3]

# Does what it reads, a word a line, and answers each with a line of JSON. A second thread counts on, unless
# Python's lock is kept from it.
USER = """
import json, sys, threading, time
import numpy as np
from agent.backends._runtimes import choose

runtime, library, options, model = json.loads(sys.argv[1])
tflite = choose(runtime).module
counted = open(sys.argv[2], "w+b", buffering=0)

def count():
    number = 0
    while True:
        number += 1
        counted.seek(0)
        counted.write(str(number).encode())
        time.sleep(0.005)

threading.Thread(target=count, daemon=True).start()
delegate = interpreter = None
for line in sys.stdin:
    try:
        if line == "open\\n":
            delegate = tflite.load_delegate(library, options)
            said = "opened"
        elif line == "load\\n":
            content = bytes.fromhex(model)
            interpreter = tflite.Interpreter(model_content=content, experimental_delegates=[delegate])
            interpreter.allocate_tensors()
            said = "loaded"
        elif line == "close\\n":
            interpreter = delegate = None
            said = "closed"
        else:
            given = np.arange(24, dtype=np.uint8).reshape(1, 2, 3, 4) + (line == "other\\n")
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given.astype(np.uint8))
            began = time.monotonic()
            interpreter.invoke()
            took = time.monotonic() - began
            output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
            said = [output.ravel().tolist(), took]
    except (ValueError, RuntimeError) as error:
        said = {type(error).__name__: str(error)}
    print(json.dumps(said), flush=True)
"""


class User:
    """A process that uses the accelerator."""

    def __init__(self, lying: LyingDelegate, more: dict[str, str]) -> None:
        self._counted = lying.folder / "counted"
        model = tiny_models.echo("uint8", SHAPE)
        wanted = [runtimes.CHOSEN, str(lying.library), {**lying.options, **more}, model.hex()]
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, json.dumps(wanted), str(self._counted)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, what: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()

    def said(self, timeout_s: float = 60.0) -> Any:
        """Its answer; None when it has given none in time, or died."""
        assert self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(timeout_s):
                return None
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def does(self, what: str) -> Any:
        self.ask(what)
        return self.said()

    def ready(self) -> None:
        assert self.does("open") == "opened"
        assert self.does("load") == "loaded"
        assert self.does("invoke")[0] == RIGHT

    @property
    def counted(self) -> str:
        return self._counted.read_text()

    def end(self) -> None:
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            pipe.close()
        self.process.wait()


@pytest.fixture
def lying(tmp_path: Path) -> LyingDelegate:
    accelerator = LyingDelegate(tmp_path / "lying", ANY)
    accelerator.learn(tiny_models.echo("uint8", SHAPE), [[np.array(RIGHT, np.uint8).reshape(SHAPE)]])
    return accelerator


@contextmanager
def using(lying: LyingDelegate, **more: str) -> Iterator[User]:
    user = User(lying, more)
    try:
        yield user
    finally:
        user.end()


def test_what_it_does_without_dying_begins_and_heals_while_it_runs(lying: LyingDelegate) -> None:
    with using(lying) as user:
        lying.set("null")
        assert user.does("open") == {"ValueError": f"Failed to load delegate from {lying.library}\n"}
        lying.heal()
        user.ready()
        assert "not in its table" in user.does("other")["RuntimeError"]
        lying.set("slow", 150)
        outputs, took = user.does("invoke")
        assert outputs == RIGHT
        assert took >= 0.15
        lying.set("garbage")
        outputs, _ = user.does("invoke")
        assert outputs != RIGHT
        assert sorted(outputs) == RIGHT
        lying.set("refuse_invoke")
        assert "invoke refused" in user.does("invoke")["RuntimeError"]
        lying.heal()
        assert user.does("invoke")[0] == RIGHT
        lying.set("refuse_prepare")
        assert "prepare refused" in user.does("load")["RuntimeError"]
        counted = {what: lying.counted(what) for what in ("open", "prepare", "invoke", "close")}
        assert counted == {"open": 2, "prepare": 2, "invoke": 6, "close": 0}
        assert set(lying.processes) == {user.process.pid}
        assert user.does("close") == "closed"
        assert lying.counted("close") == 1


def test_a_device_that_vanished_is_of_use_again_when_it_is_back_and_opened_anew(lying: LyingDelegate) -> None:
    with using(lying) as user:
        user.ready()
        lying.set("vanish")
        assert "device is lost" in user.does("invoke")["RuntimeError"]
        assert "no device is there" in user.does("open")["ValueError"]
        lying.heal()
        assert "device is lost" in user.does("invoke")["RuntimeError"]
        user.ready()


@pytest.mark.parametrize(
    ("mode", "during"), [("crash", "invoke"), ("crash_open", "open")], ids=lambda value: value
)
def test_a_crash_is_one(lying: LyingDelegate, mode: str, during: str) -> None:
    with using(lying) as user:
        if during == "invoke":
            user.ready()
        lying.set(mode)
        assert user.does(during) is None
        assert user.process.wait(10) == -signal.SIGSEGV


@pytest.mark.parametrize(
    ("mode", "during", "lock"),
    [
        ("hang", "invoke", False),
        ("hang_gil", "invoke", True),
        ("hang_open", "open", True),  # the runtimes call it with Python's lock
        ("hang_prepare", "load", True),
    ],
)
def test_a_hang_hangs_and_keeps_pythons_lock_where_it_says_so(
    lying: LyingDelegate, mode: str, during: str, *, lock: bool
) -> None:
    with using(lying) as user:
        if during != "open":
            user.ready()
        lying.set(mode)
        before = {what: lying.counted(what) for what in ("open", "prepare", "invoke")}
        user.ask(during)
        what = "prepare" if during == "load" else during
        end = time.monotonic() + 30
        while lying.counted(what) == before[what]:
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(0.05)  # it has counted, and now it hangs
        then = user.counted
        assert user.said(0.2) is None
        assert user.process.poll() is None
        assert (user.counted == then) is lock
        os.kill(user.process.pid, signal.SIGKILL)


def test_the_mode_is_an_option_too_for_as_long_as_no_file_says_it(lying: LyingDelegate) -> None:
    lying.control.unlink()
    with using(lying, mode="refuse_prepare") as user:
        assert user.does("open") == "opened"
        assert "prepare refused" in user.does("load")["RuntimeError"]
        lying.heal()
        assert user.does("load") == "loaded"


def test_an_option_that_it_does_not_know_is_refused_in_its_own_words(lying: LyingDelegate) -> None:
    with using(lying, colour="red") as user:
        assert user.does("open")["ValueError"].endswith("lying delegate: unknown option colour")


@pytest.mark.shared
def test_a_real_model_for_the_edge_tpu_gives_what_its_twin_gives_on_the_cpu(
    shared: Path, tmp_path: Path
) -> None:
    models = [shared / "models" / f"mobilenet_v1_0.25_128_quant{end}.tflite" for end in ("", "_edgetpu")]
    twin, compiled = (path.read_bytes() for path in models)
    inputs = [[np.full((1, 128, 128, 3), level, np.uint8)] for level in (0, 99)]
    lying = LyingDelegate(tmp_path / "lying", EDGE_TPU)
    lying.learn(twin, inputs)
    runtime = choose(runtimes.CHOSEN).module
    delegate = runtime.load_delegate(str(lying.library), lying.options)
    interpreter = runtime.Interpreter(model_content=compiled, experimental_delegates=[delegate])
    interpreter.allocate_tensors()
    known = Table.of(twin, inputs).answers
    for given, expected in zip(inputs, known.values(), strict=True):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given[0])
        interpreter.invoke()
        output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        assert np.array_equal(output, expected[0])
    with pytest.raises(RuntimeError, match="edgetpu-custom-op"):
        runtime.Interpreter(model_content=compiled).allocate_tensors()


@pytest.mark.shared
def test_it_may_take_a_whole_detector_whose_outputs_have_no_shape_before_it_runs(
    shared: Path, tmp_path: Path
) -> None:
    model = (shared / "models" / "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite").read_bytes()
    given = np.full((1, 300, 300, 3), 120, np.uint8)
    lying = LyingDelegate(tmp_path / "lying", ANY)
    lying.learn(model, [[given]])
    runtime = choose(runtimes.CHOSEN).module
    delegate = runtime.load_delegate(str(lying.library), lying.options)
    interpreter = runtime.Interpreter(model_content=model, experimental_delegates=[delegate])
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given)
    interpreter.invoke()
    (expected,) = Table.of(model, [[given]]).answers.values()
    found = [interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()]
    assert all(np.array_equal(one, two) for one, two in zip(found, expected, strict=True))
