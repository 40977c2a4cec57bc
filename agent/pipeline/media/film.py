"""Clips of events: frames are encoded as they are captured, and what surrounds an event leaves as one file.

The capture thread shows each frame that privacy has left, also those that a gate leaves out afterwards. The
infer thread asks for clips. A thread of its own sends them: the supervisor may keep a worker waiting.
"""

from __future__ import annotations

import queue
import secrets
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from agent.media import MAX_MEDIUM
from agent.pipeline.media import avi
from agent.pipeline.media.picture import as_jpeg, fitted, is_picture
from agent.pipeline.media.ring import Ring, Shot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.config.media import Media
    from agent.types import Frame, FrameInfo

_LATE_S = 2.0
"""How long a frame's event may take to be known without its clip losing any of its beginning."""
_BEFORE_BYTES = 6 << 20
"""JPEGs that are kept of what lies before an event; the rest of a clip is left for what comes after it."""
MOST_SHOTS = 640
"""Frames of a clip: 60 s of the highest rate, and what a clock may be off by."""
_LEAVE_S = 4.0


class Sends(Protocol):
    """What has a medium leave the worker. Safe from any thread."""

    def __call__(self, head: Mapping[str, Any], size: int, pieces: Iterable[bytes]) -> None:
        """Send it: its message, its bytes in all, and these, piece by piece.

        Raises:
            OSError: there is no memory for it, or nobody listens.
        """


@dataclass(slots=True)
class _Clip:
    head: Mapping[str, Any]
    until_ns: int
    shots: list[Shot] = field(default_factory=list)
    bytes: int = 0

    def takes(self, shot: Shot) -> bool:
        """Add a frame; False when the clip is over without it."""
        larger = avi.most(len(self.shots) + 1, self.bytes + len(shot.jpeg))
        strange = bool(self.shots) and self.shots[0].size != shot.size
        late = shot.captured_ns > self.until_ns
        if late or strange or larger > MAX_MEDIUM or len(self.shots) >= MOST_SHOTS:
            return False
        self.shots.append(shot)
        self.bytes += len(shot.jpeg)
        return True


class Film:
    """Keeps the newest frames, and makes clips of them: one at a time.

    Args:
        table: what was configured.
        send: takes finished clips.
    """

    def __init__(self, table: Media, send: Sends) -> None:
        self._table = table
        self._send = send
        self._period_ns = int(1e9 / table.fps)
        self._due_ns: int | None = None
        self._ring = Ring(table.before_s + _LATE_S, _BEFORE_BYTES, MOST_SHOTS // 2)
        self._guard = threading.Lock()
        self._clip: _Clip | None = None
        self._finished: queue.Queue[_Clip | None] = queue.Queue(2)
        self._sender = threading.Thread(target=self._send_all, name="media", daemon=True)
        self._sender.start()

    def __call__(self, frame: Frame) -> Frame:
        """Look at a frame, and give it on as it is. Frames beyond the rate, and what is no picture, pass."""
        if is_picture(frame.data) and self._wants(frame.captured_ns):
            pixels = fitted(frame.data, self._table.width)
            jpeg = as_jpeg(pixels, self._table.quality)
            self._take(Shot(frame.captured_ns, (pixels.shape[0], pixels.shape[1]), jpeg))
        return frame

    def clip(self, names: tuple[str, ...], frame: FrameInfo) -> str | None:
        """Give the id of the clip that will show this frame's events; None when none can be made now.

        While one is under way, that is the one. Else one begins, unless the one before waits to be sent or
        there was no frame yet.
        """
        with self._guard:
            if self._clip is not None:
                return str(self._clip.head["clip"])
            if not (self._ring.bytes and self._finished.empty()):
                return None
            before_ns, after_ns = int(self._table.before_s * 1e9), int(self._table.after_s * 1e9)
            name = secrets.token_hex(8)
            head = {
                "type": "medium",
                "kind": "clip",
                "events": names,
                "frame": frame.seq,
                "captured_ns": frame.captured_ns,
                "clip": name,
            }
            clip = _Clip(head, frame.captured_ns + after_ns)
            self._clip = clip
            if not all(map(clip.takes, self._ring.since(frame.captured_ns - before_ns))):
                self._end()
            return name

    def finish(self) -> None:
        """No frame will follow: let a clip that is under way leave as it is, and end the thread."""
        with self._guard:
            self._end()
        try:
            self._finished.put(None, timeout=_LEAVE_S)
        except queue.Full:
            return  # the supervisor does not listen; the process ends without it
        self._sender.join(_LEAVE_S)

    def _wants(self, captured_ns: int) -> bool:
        if self._due_ns is not None and captured_ns < self._due_ns:
            return False
        due_ns = (captured_ns if self._due_ns is None else self._due_ns) + self._period_ns
        self._due_ns = due_ns if due_ns > captured_ns else captured_ns + self._period_ns
        return True

    def _take(self, shot: Shot) -> None:
        with self._guard:
            self._ring.add(shot)
            if self._clip is not None and not self._clip.takes(shot):
                self._end()

    def _end(self) -> None:
        if self._clip is not None and self._clip.shots:
            self._finished.put_nowait(self._clip)  # it has room: a clip begins only when none waits
        self._clip = None

    def _send_all(self) -> None:
        while (clip := self._finished.get()) is not None:
            try:
                self._send_one(clip)
            except OSError as error:
                print(f"a clip of {len(clip.shots)} frames is lost: {error}", file=sys.stderr, flush=True)

    def _send_one(self, clip: _Clip) -> None:
        frames = [shot.jpeg for shot in clip.shots]
        height, width = clip.shots[0].size
        span_ns = clip.shots[-1].captured_ns - clip.shots[0].captured_ns
        frame_us = span_ns // 1000 // (len(frames) - 1) if len(frames) > 1 else self._period_ns // 1000
        self._send(clip.head, avi.size(frames), avi.pieces(frames, width, height, max(1, frame_us)))
