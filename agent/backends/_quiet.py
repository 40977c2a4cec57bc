"""Keeps the chatter of a runtime's first words off stderr, and nothing else.

LiteRT and tflite-runtime write "INFO: Created TensorFlow Lite XNNPACK delegate" when they first delegate in a
process, and no setting turns that off; numpy 2 prints a page when it meets a runtime that was built for
numpy 1. So the first model that a runtime sees is ``ABSOLUTE``, with stderr held back. The model that is
wanted then loads with stderr in place: a crash keeps its words.
"""

from __future__ import annotations

import base64
import io
import os
import sys
from contextlib import contextmanager, redirect_stderr
from typing import TYPE_CHECKING
from zlib import decompress

if TYPE_CHECKING:
    from collections.abc import Iterator

STDERR = 2
CHATTER = "INFO: Created TensorFlow Lite XNNPACK delegate"
_MOST = 1 << 16

ABSOLUTE = decompress(
    base64.b64decode(
        "eNqTYGBgCHHzMWZg4GMQYRBg4GHgAIqwAHkMQB4DgwwQXwBiZiBmBGKILAhC+CA1PHCdLEASImYDxA5A7IKkjoGBCywPUscFNYsHKg/"
        "DDFj4TEBsALaXgeHJ////kfVVIqnlgbqeAeoOZHUVaOYKQNVzI6lPhViXCgCwgwqe"
    )
)
"""A model of one operator, y = |x| on one float; tests/simulators/tiny_models.py makes the same bytes."""


@contextmanager
def quiet() -> Iterator[None]:
    """Hold stderr back, both Python's and the descriptor, and pass on at the end what is no chatter.

    When the body fails nothing is passed on: its error says what is to be said, in one line.
    """
    kept = os.dup(STDERR)
    held = os.memfd_create("stderr")
    words = io.StringIO()
    try:
        with redirect_stderr(words):
            os.dup2(held, STDERR)
            try:
                yield
            finally:
                os.dup2(kept, STDERR)
        native = os.pread(held, _MOST, 0).decode(errors="replace")
        os.write(STDERR, _without_chatter(native).encode())
        sys.stderr.write(_without_chatter(words.getvalue()))
    finally:
        os.close(held)
        os.close(kept)


def _without_chatter(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if CHATTER not in line)
