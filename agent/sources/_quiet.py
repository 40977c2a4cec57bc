"""Keeps OpenCV and FFmpeg from writing to stderr: what matters is told by our own errors."""

from __future__ import annotations

import os

import cv2

_AV_LOG_QUIET = "-8"
_SILENT = 0
"""LOG_LEVEL_SILENT, which not every version has as a name."""


def quiet() -> None:
    """Silence both for this process. FFmpeg reads its level when the first capture opens."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _AV_LOG_QUIET)
    logging = getattr(cv2.utils, "logging", cv2)  # OpenCV 4 has the function in cv2 itself
    logging.setLogLevel(_SILENT)
