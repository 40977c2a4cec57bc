"""Keeps one line of chatter off stderr, and nothing else.

The runtime writes "INFO: Created TensorFlow Lite XNNPACK delegate" when it first delegates in a process, and
no setting turns that off. So the first model that it sees is this one, with stderr held back; what it says
besides is passed on. The model that is wanted then loads with stderr in place: a crash keeps its words.
"""

from __future__ import annotations

import base64
import functools
import os
from typing import TYPE_CHECKING
from zlib import decompress

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

STDERR = 2
CHATTER = b"INFO: Created TensorFlow Lite XNNPACK delegate"

ABSOLUTE = decompress(
    base64.b64decode(
        "eNqTYGBgCHHzMWZg4GMQYRBg4GHgAIqwAHkMQB4DgwwQXwBiZiBmBGKILAhC+CA1PHCdLEASImYDxA5A7IKkjoGBCywPUscFNYsHKg/"
        "DDFj4TEBsALaXgeHJ////kfVVIqnlgbqeAeoOZHUVaOYKQNVzI6lPhViXCgCwgwqe"
    )
)
"""A model of one operator, y = |x| on one float; tests/simulators/tiny_models.py makes the same bytes."""


@functools.cache
def let_it_talk(interpreter: type[Interpreter]) -> None:
    """Have the runtime load its first model, once in a process, without the chatter."""
    kept = os.dup(STDERR)
    held = os.memfd_create("stderr")
    try:
        os.dup2(held, STDERR)
        try:
            interpreter(model_content=ABSOLUTE, num_threads=1).allocate_tensors()
        finally:
            os.dup2(kept, STDERR)
        words = os.pread(held, 1 << 16, 0)
        os.write(STDERR, b"".join(line for line in words.splitlines(keepends=True) if CHATTER not in line))
    finally:
        os.close(held)
        os.close(kept)
