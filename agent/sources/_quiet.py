"""Keeps OpenCV and FFmpeg from writing to stderr: what matters is told by our own errors."""

from __future__ import annotations

import os

import cv2

_AV_LOG_QUIET = "-8"
_CV_LOG_SILENT = 0


def quiet() -> None:
    """Silence both for this process. FFmpeg reads its level when the first capture opens."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _AV_LOG_QUIET)
    # OpenCV 4 has it at its top.
    silence = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
    silence(_CV_LOG_SILENT)
