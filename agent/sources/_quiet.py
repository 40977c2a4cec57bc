"""Keeps OpenCV and FFmpeg from writing to stderr: what matters is told by our own errors."""

from __future__ import annotations

import os

import cv2

_AV_LOG_QUIET = "-8"


def quiet() -> None:
    """Silence both for this process. FFmpeg reads its level when the first capture opens."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _AV_LOG_QUIET)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
