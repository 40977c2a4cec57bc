"""A language model of a few KB whose every word is known: a Markov chain, written as .tflite.

The logits of the next token are a row of a table, chosen by the last token: a GATHER. A model that gives
those of the last place alone has a FULLY_CONNECTED behind it, whose weights pick them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from models.tflite_writer import Writer

WORDS = ("the", "pump", "runs", "hot", "cold", "now", ".")
THE, PUMP, RUNS, HOT, COLD, NOW, END = range(len(WORDS))
PROBABILITIES = np.full((len(WORDS), len(WORDS)), 1e-4)
for _one, _next, _p in (
    (THE, PUMP, 1.0),
    (PUMP, RUNS, 1.0),
    (RUNS, HOT, 0.75),
    (RUNS, COLD, 0.25),
    (HOT, NOW, 0.6),
    (HOT, END, 0.4),
    (COLD, NOW, 1.0),
    (NOW, END, 1.0),
    (END, THE, 1.0),
):
    PROBABILITIES[_one, _next] = _p
PROBABILITIES /= PROBABILITIES.sum(axis=1, keepdims=True)
PLACES = 4


def speller(gives: Literal["next", "every"] = "every") -> bytes:
    """Make the model: of ids (1, 4), logits of the ``next`` token (1, 7), or ``every`` one's (1, 4, 7)."""
    size = len(WORDS)
    writer = Writer()
    ids = writer.tensor("ids", (1, PLACES), "int32")
    table = writer.tensor("table", (size, size), "float32", data=np.log(PROBABILITIES))
    rows = writer.tensor("rows", (1, PLACES, size), "float32")
    writer.operator("GATHER", 1, [table, ids], [rows], ("GatherOptions", {"axis": 0}))
    logits = rows if gives == "every" else _last(writer, rows, size)
    return writer.finish("a Markov chain of seven words", {"ids": ids}, {"logits": logits})


def _last(writer: Writer, rows: int, size: int) -> int:
    flat, shape = writer.tensor("flat", (1, PLACES * size), "float32"), np.array((1, PLACES * size), np.int32)
    wanted = writer.tensor("flat/shape", (2,), "int32", data=shape)
    options = ("ReshapeOptions", {"newShape": shape.tolist()})
    writer.operator("RESHAPE", 1, [rows, wanted], [flat], options)
    weights = np.eye(PLACES * size, dtype=np.float32)[-size:]
    operands = [
        flat,
        writer.tensor("weights", weights.shape, "float32", data=weights),
        writer.tensor("bias", (size,), "float32", data=np.zeros(size, np.float32)),
    ]
    logits = writer.tensor("logits", (1, size), "float32")
    writer.operator("FULLY_CONNECTED", 1, operands, [logits], ("FullyConnectedOptions", {}))
    return logits
