"""An int8 model with other inputs and outputs, as TFLite's converter makes them.

The converter's ``inference_input_type`` and ``inference_output_type`` leave the int8 core as it is, and put a
QUANTIZE or DEQUANTIZE operator at each border. So does this, with a file that is already written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from models.tflite_writer import FILE_ID, operator_code

if TYPE_CHECKING:
    from models.quantize import Precision

_SHIFT = 128
"""Between an int8 and the uint8 that stands for the same real number at the same scale."""
_VERSIONS = {"QUANTIZE": 1, "DEQUANTIZE": 2}


def with_borders(content: bytes, precision: Precision) -> bytes:
    """Give an int8 model whose inputs and outputs are of ``precision``; names and signature stay.

    Args:
        content: a .tflite file with one graph and int8 inputs and outputs.
        precision: "uint8" or "float32"; "int8" gives the model as it is.
    """
    if precision == "int8":
        return content
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    (graph,) = model.subgraphs
    before = [_border(model, graph, index, precision, into=True) for index in graph.inputs]
    after = [_border(model, graph, index, precision, into=False) for index in graph.outputs]
    graph.operators = [*before, *graph.operators, *after]
    moved = {int(one.outputs[0]): int(one.inputs[0]) for one in before}
    moved |= {int(one.inputs[0]): int(one.outputs[0]) for one in after}
    graph.inputs = np.array([moved[index] for index in graph.inputs], np.int32)
    graph.outputs = np.array([moved[index] for index in graph.outputs], np.int32)
    for signature in model.signatureDefs or []:
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = moved[entry.tensorIndex]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=FILE_ID)
    return bytes(builder.Output())


def _border(model: Any, graph: Any, index: int, precision: Precision, *, into: bool) -> Any:
    """Add a tensor before (``into``) or after tensor ``index``, and give the operator between them."""
    inner = graph.tensors[index]
    outer = schema.TensorT()
    outer.name, outer.shape, outer.buffer = inner.name, inner.shape, 0
    inner.name = inner.name + b"/int8"
    outer.type = getattr(schema.TensorType, precision.upper())
    if precision == "uint8":
        outer.quantization = schema.QuantizationParametersT()
        outer.quantization.scale = inner.quantization.scale
        outer.quantization.zeroPoint = inner.quantization.zeroPoint + _SHIFT
    graph.tensors.append(outer)
    ends = [len(graph.tensors) - 1, int(index)]
    operator = schema.OperatorT()
    operator.opcodeIndex = _code_index(model, "QUANTIZE" if into or precision == "uint8" else "DEQUANTIZE")
    operator.inputs, operator.outputs = (
        np.array([end], np.int32) for end in (ends if into else reversed(ends))
    )
    return operator


def _code_index(model: Any, name: str) -> int:
    wanted = operator_code(name, _VERSIONS[name])
    known = [(code.builtinCode, code.version) for code in model.operatorCodes]
    if (wanted.builtinCode, wanted.version) not in known:
        model.operatorCodes.append(wanted)
        return len(known)
    return known.index((wanted.builtinCode, wanted.version))
