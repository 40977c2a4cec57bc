"""A picture that somebody has asked for: the next frame, as privacy has left it.

The capture thread encodes it, since it alone has the frame before the gates see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.media import MAX_MEDIUM
from agent.pipeline.media.picture import as_jpeg, fitted, is_picture
from agent.types import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.pipeline.media.film import Sends
    from agent.pipeline.wanted import Wanted
    from agent.types import Frame

WIDTH, QUALITY = 1280, 80
"""Pixels of the longer side, at most; JPEG quality."""


class Asked:
    """Passes frames on as they are, and sends one when it was asked to.

    Args:
        wanted: says when.
        send: takes pictures.
        say: takes the word that there is none.
        beat: notes the phase that begins: the supervisor may keep a worker waiting.
    """

    def __init__(
        self,
        wanted: Wanted,
        send: Sends,
        say: Callable[[Mapping[str, Any]], None],
        beat: Callable[[Phase], None],
    ) -> None:
        self._wanted, self._send, self._say, self._beat = wanted, send, say, beat

    def __call__(self, frame: Frame) -> Frame:
        """Look whether this frame is wanted, and give it on."""
        if (token := self._wanted.take()) is not None:
            self._answer(token, frame)
        return frame

    def _answer(self, token: int, frame: Frame) -> None:
        if not is_picture(frame.data):
            what = "x".join(map(str, frame.data.shape))
            self._fail(token, f"the pipeline's frames are no pictures: {what} {frame.data.dtype}")
            return
        jpeg = as_jpeg(fitted(frame.data, WIDTH), QUALITY)
        if len(jpeg) > MAX_MEDIUM:
            self._fail(token, f"it has {len(jpeg)} bytes")
            return
        head = {"type": "picture", "token": token, "frame": frame.seq, "captured_ns": frame.captured_ns}
        self._beat(Phase.SEND)
        try:
            self._send(head, len(jpeg), (jpeg,))
        except OSError as error:
            self._fail(token, f"there is no memory for it: {error.strerror}")
        self._beat(Phase.PREPROCESS)

    def _fail(self, token: int, problem: str) -> None:
        self._say({"type": "unpictured", "token": token, "problem": problem})
