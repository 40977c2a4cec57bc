"""A real SSD's raw outputs, read by the decoder, against the model's own postprocessing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from agent.decoders import detection
from agent.decoders.heads.anchors import Anchors, ssd
from agent.labels import Labels
from agent.tensors import dequantize
from agent.types import FrameInfo, Signature, TensorSpec

if TYPE_CHECKING:
    from pathlib import Path

    from agent.types import Array

litert = pytest.importorskip("ai_edge_litert.interpreter")
pytestmark = pytest.mark.shared

MODEL = "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
FRAME = FrameInfo(seq=0, captured_ns=0, height=300, width=300)
PICTURE = TensorSpec("image", "uint8", (1, 300, 300, 3))
OWN = tuple("TFLite_Detection_PostProcess" + end for end in ("", ":1", ":2", ":3"))
RAW = ("Squeeze", "concat_1")


def tensors(shared: Path, picture: str) -> dict[str, tuple[TensorSpec, Array]]:
    """Run the model; give the tensors that matter, those between its operators, too."""
    interpreter = litert.Interpreter(
        model_path=str(shared / "models" / MODEL),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    image = cv2.imread(str(shared / "models/media" / picture))
    assert image is not None
    image = cv2.cvtColor(cv2.resize(image, (300, 300)), cv2.COLOR_BGR2RGB)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[np.newaxis])
    interpreter.invoke()
    found = {}
    for told in interpreter.get_tensor_details():
        if told["name"] in {*OWN, *RAW, "anchors"}:
            scale, zero_point = told["quantization"]
            quantized: dict[str, Any] = {"scale": (scale,), "zero_point": (zero_point,)} if scale else {}
            array = interpreter.get_tensor(told["index"])
            found[told["name"]] = (
                TensorSpec(told["name"], str(array.dtype), array.shape, **quantized),
                array,
            )
    return found


@pytest.mark.parametrize(("picture", "count"), [("kite_and_cold.jpg", 10), ("cats_and_dogs.jpg", 6)])
def test_raw_outputs_say_what_the_models_own_postprocessing_says(
    shared: Path, picture: str, count: int
) -> None:
    found = tensors(shared, picture)
    items = []
    # The model compares boxes of all classes, those that share more than 0.6, and gives ten.
    options = {"iou": 0.6, "max_items": 10, "class_agnostic": True}
    for names in (OWN, RAW):
        specs, arrays = zip(*(found[name] for name in names), strict=True)
        decoder = detection.build(detection.Options(**options), Signature((PICTURE,), specs), Labels())
        items.append(decoder.decode(arrays, FRAME).items)
    own, raw = items
    assert len(own) == count
    assert [item["index"] for item in raw] == [item["index"] for item in own]
    for one, other in zip(raw, own, strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=1 / 256)
        assert one["box"] == pytest.approx(other["box"], abs=0.01)  # its anchors are quantized


def test_the_anchors_are_those_in_the_file(shared: Path) -> None:
    spec, array = tensors(shared, "cat.bmp")["anchors"]
    assert ssd(Anchors(), (300, 300)) == pytest.approx(dequantize(array, spec), abs=spec.scale[0] / 2 + 1e-6)
