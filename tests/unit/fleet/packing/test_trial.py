"""What the process that runs a model finds, says and refuses; and what is told of one that dies."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent import manifest
from agent.config.preparing import pre_of
from agent.errors import AgentError, ConfigInvalid, InputRejected, LaneCrashed, ManifestInvalid, ModelInvalid
from agent.fleet.packing import apart, side, trial, words
from agent.processes.ipc import Channel
from agent.workers.program import engines
from agent.workers.program.measuring import Tryout
from agent.workers.spec import LaneSpec
from tests.simulators import tiny_models
from tests.simulators.tiny_models import Tensor

if TYPE_CHECKING:
    from pathlib import Path

BYTES = tiny_models.echo("uint8", (1, 2, 2, 1))
ROW = tiny_models.echo("uint8", (1, 4))
TWO = tiny_models.add()


@pytest.mark.parametrize(
    ("model", "more", "error", "said"),
    [
        (BYTES, {"task": "detection"}, ModelInvalid, "decode as detection"),
        (BYTES, {"task": "anomaly"}, ConfigInvalid, "read post.threshold: this key is missing"),
        (BYTES, {"task": "guessing"}, ConfigInvalid, "there is no 'guessing'"),
        (BYTES, {"pre": manifest.Pre(mean=(1, 2))}, ModelInvalid, "mean has 2 numbers for 1 channels"),
        (ROW, {"pre": manifest.Pre(color="bgr")}, ManifestInvalid, "Remove pre from the manifest"),
        (
            ROW,
            {"pre": pre_of({"features": {"kind": "micro_speech"}})},
            ManifestInvalid,
            r"no window gives 4 values of micro_speech: the input wants uint8 \[1, 4\]",
        ),
        (TWO, {}, ModelInvalid, "it has 2 inputs"),
        (tiny_models.custom("edgetpu-custom-op"), {}, ModelInvalid, "compiled for the Edge TPU"),
    ],
)
def test_a_model_that_does_not_fit_what_is_said_of_it_fails_its_trial(
    tmp_path: Path, model: bytes, more: dict[str, Any], error: type[AgentError], said: str
) -> None:
    (tmp_path / "m.tflite").write_bytes(model)
    ask = words.TrialAsk(**{"model": str(tmp_path / "m.tflite"), "task": "classification", **more})
    with pytest.raises(error, match=said):
        trial.tried(ask, lambda _: None)


def tryout(tmp_path: Path, model: bytes, *, xnnpack: bool) -> Tryout:
    (tmp_path / "m.tflite").write_bytes(model)
    options = {"xnnpack": xnnpack}
    path = str(tmp_path / "m.tflite")
    return Tryout(
        engines.make(
            LaneSpec(pipeline="p", model=path, source="images", task="tensor", backend_options=options)
        )
    )


def test_an_answer_that_other_kernels_do_not_give_is_refused(tmp_path: Path) -> None:
    usual = tryout(tmp_path, tiny_models.echo("float32", (1, 2)), xnnpack=True)
    x, y = Tensor("x", "float32", (1, 2)), Tensor("values", "float32", (1, 2))
    other = tryout(tmp_path, tiny_models.build([x], [y], "ABS"), xnnpack=False)
    one = words.GoldenInput(path="a.npy", tol=0.1)
    data = np.array([[0.5, 0.05]], np.float32)
    same = trial.answer(one, data, usual, usual)
    assert same[0]["max"] == 0.5
    with pytest.raises(InputRejected, match=r"a\.npy: its answer on cpu is another one: item 0"):
        trial.answer(one, -data, usual, other)


def test_an_answer_that_no_packet_holds_is_refused_and_not_sent() -> None:
    ours, theirs = Channel.pair()
    with closing(ours), closing(Channel.from_fd(theirs.detach())) as channel:
        side.say(channel, words.Answer(number=1, items=[{"text": "x" * 1000}]))
        assert isinstance(words.parse(ours.receive() or b""), words.Answer)
        with pytest.raises(InputRejected, match=r"the model's answer has 7.... bytes, and 65536 is the most"):
            side.say(channel, words.Answer(number=1, items=[{"text": "x" * 70_000}]))
        assert ours.receive() is None


def test_a_process_that_dies_or_takes_too_long_is_told(tmp_path: Path) -> None:
    ask = words.TrialAsk(model="x", task="tensor")
    with pytest.raises(LaneCrashed, match=r"run model x: the process that runs it dies: exit code 1"):
        list(apart.tried("no_such_module", ask, "x", 10))
    with pytest.raises(LaneCrashed, match=r"it takes longer than 0 s"):
        list(apart.tried("agent.fleet.packing.trial", ask, "x", 0.01))
