"""A look at a .tflite file's outline, to see whether it is one, and whether all of it is there.

Older runtimes crash on truncated files, so this walks the outline (root table, operators, subgraphs,
buffers) with every offset checked against the file's end. It proves nothing else: the runtime's verifier
has the last word. The positions of fields are those of TensorFlow's schema.fbs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.tflite.flatbuffers import Broken, root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.tflite.flatbuffers import Table

IDENTIFIER = b"TFL3"
EDGE_TPU_OPERATOR = "edgetpu-custom-op"
"""What the Edge TPU's compiler makes of those that run there; nothing else can run it."""

_OPERATOR_CODES = 1
_SUBGRAPHS = 2
_BUFFERS = 4
_DATA = 0
"""Positions of three fields of ``Model`` in its table, and of ``Buffer.data`` in its own."""
_CUSTOM_CODE = 1
_TENSORS, _INPUTS, _OUTPUTS = 0, 1, 2
_SHAPE, _TYPE = 0, 1
"""Positions of fields of ``OperatorCode``, of ``SubGraph``, and of ``Tensor``."""
_MOST_ITEMS = 1 << 20


def check_outline(data: bytes) -> None:
    """Check that ``data`` starts as a TFLite model and that its outline ends within it.

    Raises:
        Broken: it does not.
    """
    if data[4:8] != IDENTIFIER:
        raise Broken("it is not a TFLite model (no TFL3 at byte 4)")
    model = root(data)
    for position in (_OPERATOR_CODES, _SUBGRAPHS):
        for table in _listed(model, position):
            table.check()
    for buffer in _listed(model, _BUFFERS):
        buffer.count(_DATA, size=1)


def custom_operators(data: bytes) -> list[str]:
    """Name the operators that are not TFLite's own, such as the one that an accelerator's compiler makes.

    Raises:
        Broken: the outline does not hold together.
    """
    codes = _listed(root(data), _OPERATOR_CODES)
    return [code.text(_CUSTOM_CODE) for code in codes if code.has(_CUSTOM_CODE)]


def is_for_edge_tpu(data: bytes) -> bool:
    """Whether the model was compiled for the Edge TPU, and runs nowhere else; a broken one was not."""
    try:
        return EDGE_TPU_OPERATOR in custom_operators(data)
    except Broken:  # whoever loads it is told
        return False


Border = tuple[int, tuple[int, ...]]
"""A tensor's type, as the file's schema numbers it, and its shape."""


def borders(data: bytes) -> tuple[list[Border], list[Border]]:
    """Give the inputs and the outputs of the first graph, which is the one that is run.

    Raises:
        Broken: the outline does not hold together.
    """
    graphs = list(_listed(root(data), _SUBGRAPHS))
    if not graphs:
        raise Broken("it is damaged: it has no graph")
    tensors = list(_listed(graphs[0], _TENSORS))
    first, last = (graphs[0].ints(position) for position in (_INPUTS, _OUTPUTS))
    if not all(0 <= one < len(tensors) for one in (*first, *last)):
        raise Broken("it is damaged: its graph names a tensor that is not there")
    return [_border(tensors[one]) for one in first], [_border(tensors[one]) for one in last]


def _border(tensor: Table) -> Border:
    return tensor.number(_TYPE, "<B"), tensor.ints(_SHAPE)


def _listed(table: Table, position: int) -> Iterator[Table]:
    """Give the tables of a list that each model has."""
    if not table.has(position):
        raise Broken("it is damaged: a list that each model has is missing")
    if (count := table.count(position, size=4)) > _MOST_ITEMS:
        raise Broken(f"it is damaged: it claims {count} parts")
    return table.tables(position, count)
