"""Models that take more than a frame, on the real runtime: what fills each input, and what is carried."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.errors import InputRejected, ModelInvalid, SourceLost
from agent.manifest import Pre
from agent.pipeline.capture import Capture
from agent.pipeline.filling import Filling
from agent.pipeline.runner import Runner
from agent.pipeline.slot import Slot
from agent.pipeline.state import Link
from agent.types import Frame, FrameInfo, Signature, TensorSpec
from agent.workers.program import engines
from agent.workers.program.measuring import Tryout
from agent.workers.spec import LaneSpec
from tests.simulators import recurrent, tiny_models
from tests.simulators.scripted_source import ScriptedSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from agent.ledger import Ledger
    from agent.pipeline.engine import Engine
    from tests.simulators.scripted_source import Step

GONE = SourceLost("read", "camera", "unplugged")
TORN = InputRejected("read", "frame", "torn")


def made(folder: Path, model: bytes, pre: dict[str, Any], **more: Any) -> Engine:
    path = folder / "m.tflite"
    path.write_bytes(model)
    told = {"pipeline": "p", "model": str(path), "source": "x", "task": "tensor", "pre": pre, **more}
    spec = LaneSpec.model_validate(told)
    model_ = engines.model_of(spec)
    return engines.engine(spec, model_, engines.backend_of(spec, model_))


class Line:
    """A pipeline over scripted sources, one after another; its totals, frame by frame."""

    def __init__(
        self, engine: Engine, *scripts: Sequence[Step], swaps: dict[int, Engine] | None = None
    ) -> None:
        self.slot, self.swaps = Slot(engine), swaps or {}
        self.scripts = list(scripts)
        self.totals: list[float] = []
        capture = Capture(
            open_source=lambda at: ScriptedSource(self.scripts.pop(0), start=at),
            slot=self.slot,
            reporter=self,
            beat=lambda _: None,
            stop=threading.Event(),
        )
        Runner(capture=capture, slot=self.slot, outlet=self, beat=lambda _: None, turned=lambda _: None).run()

    def results(self, ledger: Ledger, records: Sequence[bytes]) -> None:
        items = [json.loads(record)["items"] for record in records]
        self.totals += [one[0]["values"][0] for one in items if "values" in one[0]]

    def timings(self, stages: Mapping[str, object]) -> None: ...

    def say(self, message: Mapping[str, Any]) -> None: ...

    def opened(self, *, live: bool) -> None: ...

    def lost(self, problem: str) -> None: ...

    def refused(self, reason: str, problem: str) -> None: ...

    def captured(self, count: int) -> None:
        if count in self.swaps:
            self.slot.swap(self.swaps[count])


def test_what_a_model_remembers_goes_from_frame_to_frame_in_their_order(tmp_path: Path) -> None:
    engine = made(tmp_path, recurrent.accumulator(), recurrent.PRE)
    values = list(range(1, 60))
    assert Line(engine, values).totals == np.cumsum(values).tolist()


def test_it_begins_anew_where_the_source_was_lost_and_a_failed_frame_changes_nothing(tmp_path: Path) -> None:
    engine = made(tmp_path, recurrent.accumulator(), recurrent.PRE)
    assert Line(engine, [1, 2, TORN, 3, GONE], [10, 20]).totals == [1, 3, 6, 10, 30]


def test_it_begins_anew_where_the_model_was_swapped_and_where_one_comes_back(tmp_path: Path) -> None:
    first = made(tmp_path, recurrent.accumulator(), recurrent.PRE)
    other = made(tmp_path, recurrent.accumulator(), recurrent.PRE)
    assert Line(first, [1, 2, 3, 4, 5, 6], swaps={2: other, 4: first}).totals == [1, 3, 3, 7, 5, 11]


def test_state_that_is_not_finite_ends_with_its_frame(tmp_path: Path) -> None:
    pre = {"inputs": {"x": "frame", "h": {"from": "h_out", "initial": 7}}}
    engine = made(tmp_path, recurrent.accumulator(), pre)
    assert engine.state is not None
    inputs = engine.buffers[0]
    for value, total in ((1.0, 8.0), (3e38, 3e38), (3e38, np.inf), (1.0, 8.0)):
        engine.prepare(Frame(0, 0, np.full(2, value)), inputs)
        engine.state.give(inputs, 1)
        outputs = engine.backend.infer(inputs)
        assert outputs[0][0, 0] == np.float32(total)
        engine.state.take(outputs)


def test_golden_inputs_are_answered_from_the_beginning(tmp_path: Path) -> None:
    tryout = Tryout(made(tmp_path, recurrent.accumulator(), recurrent.PRE))
    for _ in range(2):
        assert tryout.items(np.full(2, 4.0))[0]["values"] == [4, 4]


def test_what_is_carried_is_no_answer(tmp_path: Path) -> None:
    engine = made(tmp_path, recurrent.accumulator(), recurrent.PRE)
    outputs = engine.backend.infer(engine.buffers[0])
    assert [item["name"] for item in engine.decoder.decode(outputs, FrameInfo(0, 0, 1, 1)).items] == ["t3"]


def test_constants_and_the_size_of_what_is_shown_stand_in_their_inputs(tmp_path: Path) -> None:
    pre = {"inputs": {"x": "frame", "size": "size", "some": {"constant": [1, 2, 3, 4]}}}
    engine = made(tmp_path, recurrent.sums(), pre)
    engine.prepare(Frame(0, 0, np.full((40, 60, 3), 255, np.uint8)), engine.buffers[1], (0, 0.5, 0.5, 1))
    wide, high = engine.backend.infer(engine.buffers[1])
    assert wide.tolist() == [[2, 3, 4, 5]]
    assert high.tolist() == [[20, 30]]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, r"it has 3 inputs, x float32\[1, 2, 2, 1\], size .*, and pre.inputs lacks x, size, some"),
        ({"x": "frame"}, "lacks size, some"),
        ({"y": "frame"}, "names what is no input: y; its inputs are x"),
        ({"x": "frame", "0": "frame"}, "names an input twice: 0"),
        ({"x": "frame", "size": "frame", "some": "size"}, "gives the frame to 2 inputs"),
        (
            {"x": "size", "size": "frame", "some": "size"},
            r"x float32\[1, 2, 2, 1\] holds no height and width",
        ),
        ({"x": "frame", "size": "size", "some": {"constant": [1, 2]}}, "2 numbers for some"),
        ({"x": "frame", "size": "size", "some": {"constant": 1e300}}, "that some .* does not hold"),
        ({"x": "frame", "size": "size", "some": {"from": "out"}}, "carried from out; it gives wide"),
        ({"x": "frame", "size": "size", "some": {"from": "high"}}, r"high float32\[1, 2\] cannot become"),
    ],
)
def test_what_is_said_of_inputs_and_does_not_fit_is_told_in_one_line(
    tmp_path: Path, inputs: dict[str, Any], said: str
) -> None:
    with pytest.raises(ModelInvalid, match=said) as caught:
        made(tmp_path, recurrent.sums(), {"inputs": inputs} if inputs else {})
    assert "\n" not in str(caught.value)
    assert "pre.inputs" in f"{caught.value} {caught.value.hint}" or "Name" in caught.value.hint


def test_an_input_may_be_told_by_its_position_and_quantized_ones_take_real_numbers(tmp_path: Path) -> None:
    sides = [tiny_models.Tensor(name, "int8", (1, 2), 0.5, 10) for name in ("a", "b")]
    model = tiny_models.build(sides, [tiny_models.Tensor("c", "int8", (1, 2), 0.5, 10)], "ADD")
    engine = made(tmp_path, model, {"inputs": {"0": "frame", "1": {"constant": 3.25}}})
    engine.prepare(Frame(0, 0, np.array([1.0, 2.0])), engine.buffers[0])
    assert engine.buffers[0][1].tolist() == [[17, 17]]  # 3.25 / 0.5 = 6.5, away from zero, + 10
    outputs = engine.backend.infer(engine.buffers[0])
    assert engine.decoder.decode(outputs, FrameInfo(0, 0, 1, 2)).items[0]["values"] == [4.5, 5.5]


def test_an_output_is_found_by_the_role_that_is_told(tmp_path: Path) -> None:
    pre = {"inputs": {"x": "frame", "size": "size", "some": {"constant": 0}}}
    engine = made(tmp_path, recurrent.sums(), pre, decoder={"outputs": {"all": "high"}, "head": 1})
    outputs = engine.backend.infer(engine.buffers[0])
    (item,) = engine.decoder.decode(outputs, FrameInfo(0, 0, 1, 1)).items
    assert (item["name"], item["values"]) == ("high", [0])


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "float16"])
def test_the_size_of_a_frame_goes_into_no_type_that_may_not_hold_it(dtype: str) -> None:
    inputs = TensorSpec("x", "uint8", (1, 8, 8, 3)), TensorSpec("size", dtype, (1, 2))
    pre = Pre.model_validate({"inputs": {"x": "frame", "size": "size"}})
    with pytest.raises(ModelInvalid, match="holds no height and width"):
        Filling(Signature(inputs, ()), pre, "m")


def test_state_that_its_input_does_not_take_is_refused_before_any_frame() -> None:
    inputs = TensorSpec("x", "uint8", (1, 8, 8, 3)), TensorSpec("on", "bool", (1, 2))
    pre = Pre.model_validate({"inputs": {"x": "frame", "on": {"from": "h"}}})
    with pytest.raises(ModelInvalid, match="holds no numbers"):
        Filling(Signature(inputs, (TensorSpec("h", "float32", (1, 2)),)), pre, "m")


def test_state_of_another_size_fails_its_frame() -> None:
    given, taken = TensorSpec("h", "float32", (2,)), TensorSpec("h_in", "float32", (2,))
    link = Link(0, given, 1, taken, np.zeros(2, np.float32))
    with pytest.raises(InputRejected, match=r"h: its shape is \[3\] for this frame"):
        link.carried(np.zeros(3, np.float32))


def test_state_that_becomes_infinite_in_its_inputs_type_begins_anew() -> None:
    given, taken = TensorSpec("h", "float32", (2,)), TensorSpec("h_in", "float16", (2,))
    link = Link(0, given, 1, taken, np.full(2, 7, np.float16))
    assert link.carried(np.array([1, 60000], np.float32)).tolist() == [1, 60000]
    assert link.carried(np.array([1, 1e30], np.float32)).tolist() == [7, 7]
