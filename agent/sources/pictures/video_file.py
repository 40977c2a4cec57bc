"""Opens a video file, or says in one line why not."""

from __future__ import annotations

import cv2

from agent.errors import InputRejected
from agent.sources._files import check_file
from agent.sources._quiet import quiet

_OP = "open video"


def open_capture(path: str) -> cv2.VideoCapture:
    """Open the file at ``path``, its first frame not yet grabbed.

    Raises:
        InputRejected: there is no such file, or OpenCV cannot read it as a video.
    """
    check_file(_OP, path)
    quiet()
    # Other back ends would take a file name for a pattern of picture names or a device.
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    if not capture.isOpened():
        capture.release()
        raise InputRejected(
            _OP,
            path,
            "it is no video that OpenCV can read, or its end is missing",
            "Try to play it, or convert it: ffmpeg -i FILE -c:v libx264 out.mp4",
        )
    return capture


def frame_rate(capture: cv2.VideoCapture, path: str) -> float:
    """Give the file's frames a second.

    Raises:
        InputRejected: the file does not tell; ``capture`` is closed.
    """
    rate = capture.get(cv2.CAP_PROP_FPS)
    if not 0 < rate <= 1000:
        capture.release()
        raise InputRejected("pace video", path, "it states no frame rate", "Set realtime = false")
    return float(rate)


def stated_frames(capture: cv2.VideoCapture) -> int:
    """Give the number of frames that the file's header states, or 0 when it does not tell."""
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(count) if 0 < count < 1 << 53 else 0
