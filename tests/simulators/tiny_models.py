"""Makes .tflite files of a few hundred bytes, with one operator each, right or wrong on purpose."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
    "uint8": schema.TensorType.UINT8,
    "int16": schema.TensorType.INT16,
    "int8": schema.TensorType.INT8,
}
PARAMETERS: dict[str, tuple[float, int]] = {
    "float32": (0.0, 0),
    "uint8": (1 / 255, 0),
    "int8": (1 / 255, -128),
    "int16": (1 / 32767, 0),
}
"""Scale and zero point with which each type holds numbers of [0, 1] best; no scale: not quantized."""


@dataclass(frozen=True)
class Tensor:
    """A tensor of a tiny model; ``scale`` 0 means that it is not quantized."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float = 0.0
    zero_point: int = 0
    constant: np.ndarray[Any, np.dtype[Any]] | None = None


def absolute() -> bytes:
    """Make y = |x| on one float."""
    return build([Tensor("x", "float32", (1,))], [Tensor("y", "float32", (1,))], "ABS")


def reshape(source: Tensor, target: Tensor) -> bytes:
    """Make a model that gives what it is given, in another shape."""
    options = schema.ReshapeOptionsT()
    options.newShape = np.array(target.shape, np.int32)
    return build([source], [target], "RESHAPE", options=(schema.BuiltinOptions.ReshapeOptions, options))


def echo(dtype: str, shape: tuple[int, ...]) -> bytes:
    """Make a model that gives its input of ``shape``, flattened, in ``dtype``."""
    flat = (1, int(np.prod(shape)))
    scale, zero_point = PARAMETERS[dtype]
    return reshape(
        Tensor("picture", dtype, shape, scale, zero_point), Tensor("values", dtype, flat, scale, zero_point)
    )


def convert(source: Tensor, target: Tensor) -> bytes:
    """Make a model that quantizes or dequantizes."""
    return build([source], [target], "QUANTIZE" if target.scale else "DEQUANTIZE")


def add() -> bytes:
    """Make a model of two inputs."""
    inputs = [Tensor(name, "float32", (1, 2)) for name in ("left", "right")]
    return build(inputs, [Tensor("sum", "float32", (1, 2))], "ADD")


def gather() -> bytes:
    """Make a model that fails when its input, an index, is not in 0..3."""
    table = Tensor("table", "float32", (4,), constant=np.arange(4, dtype=np.float32))
    return build([table, Tensor("index", "int32", (1,))], [Tensor("picked", "float32", (1,))], "GATHER")


def custom(operator: str) -> bytes:
    """Make a model of one custom operator, which no runtime has."""
    return build([Tensor("x", "float32", (1,))], [Tensor("y", "float32", (1,))], custom_code=operator)


def packed(model: bytes, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Append a zip archive to ``model``, as model makers pack labels."""
    out = io.BytesIO(model)
    with zipfile.ZipFile(out, "a", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def build(
    inputs: list[Tensor],
    outputs: list[Tensor],
    operator: str = "CUSTOM",
    *,
    custom_code: str = "",
    options: tuple[int, Any] | None = None,
) -> bytes:
    """Make a model of one operator; what is constant among its inputs is no input of the model."""
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    tensors = [_tensor(one, model.buffers) for one in (*inputs, *outputs)]
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, operator)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = 1
    code.customCode = custom_code or None
    model.operatorCodes = [code]
    node = schema.OperatorT()
    node.opcodeIndex = 0
    node.inputs = np.arange(len(inputs), dtype=np.int32)
    node.outputs = np.arange(len(inputs), len(tensors), dtype=np.int32)
    if options:
        node.builtinOptionsType, node.builtinOptions = options
    graph = schema.SubGraphT()
    graph.tensors = tensors
    graph.inputs = np.array([at for at, one in enumerate(inputs) if one.constant is None], np.int32)
    graph.outputs = node.outputs
    graph.operators = [node]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(64)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _tensor(one: Tensor, buffers: list[schema.BufferT]) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name = one.name
    tensor.shape = np.array(one.shape, np.int32)
    tensor.type = TYPES[one.dtype]
    tensor.buffer = 0
    if one.constant is not None:
        content = schema.BufferT()
        content.data = np.frombuffer(one.constant.tobytes(), np.uint8)
        tensor.buffer = len(buffers)
        buffers.append(content)
    if one.scale:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = np.array([one.scale], np.float32)
        tensor.quantization.zeroPoint = np.array([one.zero_point], np.int64)
    return tensor
