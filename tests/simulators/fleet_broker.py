"""A mosquitto as ``edgectl init`` has set it up, on its own port; links with the fleet's certificates."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any, Self

from agent.demo.broker import _free_port
from agent.link.settings import LinkSettings

if TYPE_CHECKING:
    from pathlib import Path

_START_S = 60.0


class FleetBroker:
    """The broker of an operator's folder; a context manager that leaves no process.

    Args:
        folder: the operator's.

    Attributes:
        port: where it listens.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self._program: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it as its configuration says, but for the port."""
        text = (self.folder / "broker/mosquitto.conf").read_text()
        config = self.folder / "broker/test.conf"
        config.write_text(text.replace("listener 8883", f"listener {self.port} 127.0.0.1"))
        program = shutil.which("mosquitto")
        assert program
        with (self.folder / "broker/log").open("ab") as log:
            self._program = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)
        give_up = time.monotonic() + _START_S
        while True:
            assert self._program.poll() is None, self.log
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < give_up, self.log
                time.sleep(0.02)
            else:
                return

    def reload(self) -> None:
        """Have it read its access list and certificates again."""
        assert self._program
        os.kill(self._program.pid, signal.SIGHUP)

    def stop(self) -> None:
        """End it. Idempotent."""
        if self._program is not None:
            self._program.terminate()
            self._program.wait()
            self._program = None

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "broker/log").read_text()

    def settings(self, certificate: Path, key: Path, **more: Any) -> LinkSettings:
        """Give the settings of a link with this certificate, which is quick to come back."""
        given: dict[str, Any] = {
            "host": "localhost",
            "port": self.port,
            "client_id": f"test-{certificate.stem}",
            "protocol": "5",
            "ca_file": str(self.folder / "ca.pem"),
            "tls": True,
            "cert_file": str(certificate),
            "key_file": str(key),
            "backoff_base_s": 0.05,
            "backoff_cap_s": 0.3,
            "refused_s": 0.2,
        }
        return LinkSettings(**{**given, **more})
