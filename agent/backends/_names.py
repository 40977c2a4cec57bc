"""What a model's signature calls its inputs and outputs; the graph's own names are those of a converter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ai_edge_litert.interpreter import Interpreter

_USUAL = "serving_default"
_MOST = 200


def signature_names(interpreter: Interpreter) -> tuple[Mapping[int, str], Mapping[int, str]]:
    """Give the names of inputs and of outputs, by the tensor's index; none where no signature is the graph's.

    Of several signatures the usual one counts, else the first. One whose tensors are not those of the graph
    that runs is another graph's.
    """
    found = interpreter._get_full_signature_list()  # noqa: SLF001 - nothing public has the indices
    if not found:
        return {}, {}
    ends = found.get(_USUAL) or next(iter(found.values()))
    inputs, outputs = (
        {int(at): str(name)[:_MOST] for name, at in ends[side].items()} for side in ("inputs", "outputs")
    )
    own = [
        {one["index"] for one in some}
        for some in (interpreter.get_input_details(), interpreter.get_output_details())
    ]
    return (inputs, outputs) if inputs.keys() <= own[0] and outputs.keys() <= own[1] else ({}, {})
