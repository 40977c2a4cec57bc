"""Within a virtual machine: runs the commands that its port carries, one line of JSON each."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

PORTS = Path("/sys/class/virtio-ports")
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def port() -> str:
    """Wait for the port of the tests; give its path."""
    while True:
        for entry in PORTS.glob("*/name"):
            device = Path("/dev") / entry.parent.name
            if entry.read_text().strip() == "hand" and device.exists():
                return str(device)
        time.sleep(0.05)


def main() -> None:
    """Serve until the machine ends."""
    fd = os.open(port(), os.O_RDWR)
    with os.fdopen(fd, "rb", buffering=0, closefd=False) as asked:
        os.write(fd, b'{"ready": true}\n')
        pending = b""
        while True:
            pending += asked.read(65536) or b""
            while b"\n" in pending:
                line, pending = pending.split(b"\n", 1)
                told = answer(json.loads(line))
                data = json.dumps(told).encode() + b"\n"
                while data:
                    data = data[os.write(fd, data) :]


def answer(asked: dict[str, object]) -> dict[str, object]:
    """Run one command to its end."""
    command = asked["command"]
    assert isinstance(command, list)
    done = subprocess.run(
        command,
        input=str(asked["input"]),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=CLEAN,
    )
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


if __name__ == "__main__":
    main()
