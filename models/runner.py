"""Runs .tflite files in the real interpreter, one input after the other: to calibrate and to measure."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from models.quantize import Quant, Range, dequantize, quantize

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ai_edge_litert.interpreter import TensorDetails

    from agent.types import Array

RUNTIME = f"ai-edge-litert {version('ai-edge-litert')}"
"""What runs models here, as manifests name it."""


class Runner:
    """A model of one input; real values in, real values out."""

    def __init__(self, content: bytes, *, observe: bool = False) -> None:
        # A delegate keeps what lies between its operators to itself.
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if observe else OpResolverType.AUTO
        self._interpreter = Interpreter(
            model_content=content,
            num_threads=1,
            experimental_op_resolver_type=resolver,
            experimental_preserve_all_tensors=observe,
        )
        self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()

    def run(self, values: Array) -> Array:
        """Infer once with a model of one output.

        Args:
            values: real, the input's shape without the batch.

        Returns:
            float32, the output's shape without the batch.
        """
        (output,) = self.run_all(values)
        return output

    def run_all(self, values: Array) -> list[Array]:
        """As ``run``, but give every output, in the model's order."""
        given = values.astype(np.float32)
        if quant := _quant(self._input):
            given = quantize(given, quant, "uint8" if self._input["dtype"] is np.uint8 else "int8")
        self._interpreter.set_tensor(self._input["index"], given[None])
        self._interpreter.invoke()
        return [self._real(one) for one in self._outputs]

    def _real(self, output: TensorDetails) -> Array:
        stored: Array = self._interpreter.get_tensor(output["index"])[0].astype(np.float32)
        quant = _quant(output)
        return dequantize(stored, quant) if quant else stored

    def tensors(self) -> list[TensorDetails]:
        """Give the details of every tensor, in the interpreter's own words."""
        return self._interpreter.get_tensor_details()

    def ranges(self, inputs: Iterable[Array]) -> dict[str, Range]:
        """Run ``inputs`` and give each tensor's lowest and highest value by name (needs ``observe``)."""
        found: dict[str, Range] = {}
        for values in inputs:
            self.run_all(values)
            for tensor in self.tensors():
                data = self._interpreter.get_tensor(tensor["index"])
                low, high = found.get(tensor["name"], (0.0, 0.0))
                found[tensor["name"]] = min(low, float(data.min())), max(high, float(data.max()))
        return found


def _quant(tensor: TensorDetails) -> Quant | None:
    found = tensor["quantization_parameters"]
    if not found["scales"].size:
        return None
    return Quant(tuple(found["scales"].tolist()), tuple(found["zero_points"].tolist()))
