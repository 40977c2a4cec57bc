"""Runs ``rtsp_server.py``, and does to it what happens to cameras: dropped, frozen, gone, back."""

from __future__ import annotations

import os
import signal
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

PYTHON = "/usr/bin/python3"
"""Debian's, which has the bindings."""
_SERVER = Path(__file__).with_name("rtsp_server.py")
_LOOK = """
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
names = ("videotestsrc", "rtph264pay", "jpegenc", "x264enc", "x265enc", "openjpegenc")
print(" ".join(name for name in names if Gst.ElementFactory.find(name) is None))
"""
_PACKAGES = "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{base,good,ugly}"


@cache
def missing() -> str:
    """Say what to install so that a camera can be run; "" when nothing is missing."""
    try:
        found = subprocess.run(
            [PYTHON, "-I", "-c", _LOOK], capture_output=True, text=True, check=False, timeout=60
        )
    except OSError:
        return f"there is no {PYTHON}"
    if found.returncode == 0 and not found.stdout.strip():
        return ""
    return f"install GStreamer's RTSP server (Debian: apt-get install {_PACKAGES})"


class RtspCamera:
    """A camera, as a process; a context manager that leaves nothing.

    Args:
        codec: what it sends: h264, mjpeg, h265, j2k or sound.
        options: further options of the server's program.
    """

    def __init__(self, codec: str = "h264", *options: str) -> None:
        self._command = [PYTHON, "-I", str(_SERVER), codec, *options]
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self.switch_on()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.switch_off()

    def url(self, target: str = "/cam", login: str = "") -> str:
        return f"rtsp://{login + '@' if login else ''}127.0.0.1:{self.port}{target}"

    def switch_on(self, *options: str) -> None:
        """Start it, on the port that it had before if any; return when it serves."""
        command = [*self._command, "--port", str(self.port), *options]
        environment = {**os.environ, "GST_DEBUG": "0"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def switch_off(self) -> None:
        """Take its power: nothing says goodbye, its port is closed."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def freeze(self) -> None:
        """Let it hang, with its connections open."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._running().send_signal(signal.SIGCONT)

    def do(self, command: str) -> None:
        """Have it do what ``rtsp_server.py`` knows."""
        stdin = self._running().stdin
        assert stdin is not None
        stdin.write(f"{command}\n")
        stdin.flush()

    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process
