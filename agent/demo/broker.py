"""A broker on the loopback: mosquitto when it is installed, else amqtt. It does not outlive this process."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Literal

from agent.errors import AgentError, ExtraMissing

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["mosquitto", "amqtt"]

_START_S = 15.0
_STOP_S = 5.0
_ATTEMPTS = 5
_SBIN = "/usr/sbin:/usr/local/sbin"
"""Where Debian puts mosquitto; not on every user's PATH."""
_CONNECT = bytes.fromhex("100c 0004 4d515454 04 02 003c 0000")
"""MQTT 3.1.1, a clean session, no client id."""
_CONNACK = bytes.fromhex("2002 0000")
_DISCONNECT = bytes.fromhex("e000")

_CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
max_inflight_messages 20
max_queued_messages 10000
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
"""


class Broker:
    """A broker of our own, on a port of its own.

    Args:
        folder: where it keeps its files; made if need be.
        port: 0 takes a free one.
        kind: None takes mosquitto if it is there, else amqtt.

    Attributes:
        port: where it listens; the same after ``restore``.
        kind: which broker it is.
    """

    def __init__(self, folder: Path, *, port: int = 0, kind: Kind | None = None) -> None:
        self._folder = folder
        self._wanted = port
        self._program: subprocess.Popen[bytes] | None = None
        self.port = port
        self.kind: Kind = kind or ("mosquitto" if _mosquitto() else "amqtt")

    @property
    def protocol(self) -> Literal["auto", "3.1.1"]:
        """What to speak with it; amqtt meets MQTT 5 with silence, which costs "auto" some seconds."""
        return "auto" if self.kind == "mosquitto" else "3.1.1"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._program.pid if self._program else None

    def start(self) -> None:
        """Start it, and wait until it answers a CONNECT.

        Raises:
            ExtraMissing: there is neither mosquitto nor amqtt.
            AgentError: it does not start: the port is in use, or it says why.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, _ATTEMPTS + 1):
            self.port = self._wanted or _free_port()
            try:
                self._launch()
            except AgentError:
                # Between choosing a free port and listening on it, another program can take it.
                if self._wanted or attempt == _ATTEMPTS or not _in_use(self.port):
                    raise
            else:
                return

    def cut(self) -> None:
        """Kill it, without a word to anybody."""
        if self._program is not None:
            self._program.kill()
            self._program.wait()
            self._program = None

    def restore(self) -> None:
        """Start it again on the same port.

        Raises:
            AgentError: it does not start.
        """
        if self._program is None:
            self._launch()

    def stop(self) -> None:
        """End it. Idempotent."""
        if self._program is not None:
            self._program.terminate()
            try:
                self._program.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.cut()
            self._program = None

    def _launch(self) -> None:
        if _in_use(self.port):
            raise AgentError(
                "start broker",
                f"127.0.0.1:{self.port}",
                "the port is in use",
                "Stop the other program, or choose another port",
            )
        command = [sys.executable, "-I", "-m", "agent.demo.tether", str(os.getpid()), *self._command()]
        with (self._folder / "broker.log").open("wb") as log:
            # A session of its own: the terminal's ^C is the demo's, which still needs its broker.
            self._program = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        give_up = time.monotonic() + _START_S
        while not answers(self.port):
            ended = self._program.poll() is not None
            if ended or time.monotonic() > give_up:
                self.cut()
                problem = self._last_words() if ended else f"no answer within {_START_S:.0f} s"
                raise AgentError("start broker", self.kind, problem, f"See {self._folder / 'broker.log'}")
            time.sleep(0.02)

    def _command(self) -> list[str]:
        if self.kind == "mosquitto":
            config = _CONFIG.format(port=self.port, folder=self._folder)
            if os.geteuid() == 0:
                # Changing to its own user would cut the tether, and lock it out of the folder.
                config += "user root\n"
            path = self._folder / "mosquitto.conf"
            path.write_text(config)
            return [_mosquitto() or "mosquitto", "-c", str(path)]
        if importlib.util.find_spec("amqtt") is None:
            raise ExtraMissing(
                "start broker",
                "demo",
                "neither mosquitto nor amqtt is installed",
                "In the checkout, run: pip install '.[demo]'",
            )
        return [sys.executable, "-I", "-m", "agent.demo.amqtt_broker", str(self.port)]

    def _last_words(self) -> str:
        lines = (self._folder / "broker.log").read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it ended at once")


def answers(port: int, timeout_s: float = 1.0) -> bool:
    """Whether a broker on this machine accepts a CONNECT of MQTT 3.1.1 on ``port``."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
            connection.sendall(_CONNECT)
            accepted = connection.recv(4) == _CONNACK
            connection.sendall(_DISCONNECT)
            return accepted
    except OSError:
        return False


def _mosquitto() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=_SBIN)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _in_use(port: int) -> bool:
    """Whether somebody listens on ``port``, or holds it."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return True
    return False
