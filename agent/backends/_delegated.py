"""Counts which operators of a graph a delegate has really taken: some switch themselves off in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ai_edge_litert.interpreter import OpDetails

_DELEGATE = "DELEGATE"


def count_delegated(ops: Sequence[OpDetails]) -> tuple[int, int]:
    """Give how many of the model's operators run in a delegate, and how many there are.

    The runtime keeps the operators that it replaced in its list and appends one DELEGATE each time. An
    operator counts as taken when it lies between the outputs and the inputs of a DELEGATE.
    """
    own = [op for op in ops if op["op_name"] != _DELEGATE]
    maker = {int(tensor): op for op in own for tensor in op["outputs"]}
    taken: set[int] = set()
    for delegate in (op for op in ops if op["op_name"] == _DELEGATE):
        seen = {int(tensor) for tensor in delegate["inputs"]}
        wanted = [int(tensor) for tensor in delegate["outputs"]]
        while wanted:
            tensor = wanted.pop()
            if tensor in seen or tensor not in maker:
                continue
            seen.add(tensor)
            taken.add(maker[tensor]["index"])
            wanted.extend(int(source) for source in maker[tensor]["inputs"])
    return len(taken), len(own)
