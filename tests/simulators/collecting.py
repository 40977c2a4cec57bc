"""edgectl collect as a process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.demo.broker import Broker


@contextmanager
def collecting(broker: Broker, folder: Path, *more: str, to: str = "") -> Iterator[subprocess.Popen[str]]:
    """Run edgectl collect until it is ready; with fleet.db in the folder, or another database."""
    command = [sys.executable, "-m", "agent.fleet.main", "collect", "--json", "--fleet", "demo"]
    command += ["--port", str(broker.port), "--protocol", broker.protocol, *more]
    command += [] if "--keys" in more else ["--unsigned"]
    command += ["--to", to or f"sqlite:///{folder / 'fleet.db'}"]
    with (folder / "collect.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    with process:
        try:
            assert process.stdout
            ready = json.loads(process.stdout.readline())
            assert ready["event"] == "ready"
            yield process
        finally:
            process.kill()


def stop(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Stop it as systemd would; give its last words."""
    process.send_signal(signal.SIGTERM)
    assert process.stdout
    last: dict[str, Any] = json.loads(process.stdout.read())
    assert process.wait(60) == 0
    assert last.pop("event") == "stopped"
    return last
