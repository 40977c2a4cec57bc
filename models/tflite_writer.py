"""Writes .tflite files: tensors, operators and one signature, with the schema classes of LiteRT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.types import Array
    from models.quantize import Quant

FILE_ID = b"TFL3"
"""Stands at the fifth byte of every .tflite file."""
_SCHEMA_VERSION = 3
_OLD_CODES = 127
"""Readers of before 2020 know no operator above this; newer ones look at the other field."""


class Writer:
    """Collects a graph in execution order; ``finish`` gives the file. Tensors are known by their index."""

    def __init__(self) -> None:
        self._buffers = [schema.BufferT()]  # number 0 is the empty one
        self._tensors: list[Any] = []
        self._codes: dict[tuple[str, int], int] = {}
        self._operators: list[Any] = []

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str,
        *,
        data: Array | None = None,
        quant: Quant | None = None,
    ) -> int:
        """Add a tensor; with ``data`` it is a constant of the model."""
        tensor = schema.TensorT()
        tensor.name = name
        tensor.shape = np.array(shape, np.int32)
        tensor.type = getattr(schema.TensorType, dtype.upper())
        tensor.buffer = 0 if data is None else self._buffer(data.astype(dtype))
        if quant is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.array(quant.scale, np.float32)
            tensor.quantization.zeroPoint = np.array(quant.zero_point, np.int64)
            tensor.quantization.quantizedDimension = quant.axis
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def operator(
        self,
        name: str,
        version: int,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: tuple[str, Mapping[str, Any]],
    ) -> None:
        """Add an operator.

        Args:
            name: as in the schema's BuiltinOperator: "CONV_2D".
            version: of the kernel that the operator needs.
            inputs: tensor indices, in the operator's order.
            outputs: as ``inputs``.
            options: the schema's table, "" for none, and its fields: ("SoftmaxOptions", {"beta": 1.0}).
        """
        table, fields = options
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault((name, version), len(self._codes))
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array(outputs, np.int32)
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, table or "NONE")
        operator.builtinOptions = getattr(schema, f"{table}T")() if table else None
        for field, value in fields.items():
            setattr(operator.builtinOptions, field, value)
        self._operators.append(operator)

    def finish(self, description: str, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> bytes:
        """Give the file; ``inputs`` and ``outputs`` name tensors in the one signature."""
        graph = schema.SubGraphT()
        graph.name = "main"
        graph.tensors = self._tensors
        graph.inputs = np.array(list(inputs.values()), np.int32)
        graph.outputs = np.array(list(outputs.values()), np.int32)
        graph.operators = self._operators
        signature = schema.SignatureDefT()
        signature.signatureKey = "serving_default"
        signature.subgraphIndex = 0
        signature.inputs = _names(inputs)
        signature.outputs = _names(outputs)
        model = schema.ModelT()
        model.version = _SCHEMA_VERSION
        model.description = description
        model.operatorCodes = [operator_code(*one) for one in self._codes]
        model.subgraphs = [graph]
        model.buffers = self._buffers
        model.signatureDefs = [signature]
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), file_identifier=FILE_ID)
        return bytes(builder.Output())

    def _buffer(self, data: Array) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data.tobytes(), np.uint8)
        self._buffers.append(buffer)
        return len(self._buffers) - 1


def operator_code(name: str, version: int) -> Any:
    """Make the schema's entry for an operator's kernel."""
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode = min(code.builtinCode, _OLD_CODES)
    code.version = version
    return code


def _names(tensors: Mapping[str, int]) -> list[Any]:
    maps = []
    for name, index in tensors.items():
        entry = schema.TensorMapT()
        entry.name = name
        entry.tensorIndex = index
        maps.append(entry)
    return maps
