"""A machine that boots: Debian with systemd as its first process, in systemd-nspawn, without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

_LANDLOCK = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"
"""What nspawn itself would refuse."""
UNIT = "edge-agent.service"
COLLECTOR = "edgectl-collect.service"
DATA = "/var/lib/private/edge-agent"
CONFIG = """
[[pipelines]]
name = "door"
model = "glyphs"
source = { kind = "synthetic", width = 160, height = 120, fps = 50 }
"""
_ENTER = ("nsenter", "-m", "-p", "-u", "-i", "-n", "-C")
_CLEAN = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8")
_ASK = (
    "import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(5); "
    "s.connect('/run/edge-agent/agent.sock'); "
    's.sendall(b\'{"op":"status"}\\n\'); print(s.makefile().readline())'
)
_READ = """
import sqlite3, zlib, json, glob, sys
folder, stream, epoch = sys.argv[1:]
records, ledger = [], None
for path in glob.glob(f'{folder}/segments/{stream}-{epoch}-*.db'):
    for (data,) in sqlite3.connect(path).execute('SELECT data FROM blocks ORDER BY first'):
        body = json.loads(zlib.decompress(data))
        records += body['records']
        ledger = body['ledgers'].get('door', ledger)
print(json.dumps([records, ledger]))
"""


class Container:
    """A booted container; its changes to ``root`` are forgotten.

    A context manager that leaves nothing, even when the process that holds it is killed.

    Args:
        root: the file system, as ``rootfs.sh`` builds it.
        log: where its console goes.
        binds: files and folders of this machine to show in it, read-only: path there to path here.
        disk: folders of this machine that it writes into, the same way.
    """

    def __init__(
        self, root: Path, log: Path, binds: dict[str, Path], disk: dict[str, Path] | None = None
    ) -> None:
        shown = [f"--bind-ro={here}:{there}" for there, here in binds.items()]
        shown += [f"--bind={here}:{there}" for there, here in (disk or {}).items()]
        self._command = [
            "setpriv", "--pdeathsig", "TERM", "systemd-nspawn", "--kill-signal=SIGKILL", "-q", "-b",
            "-D", str(root), "--volatile=overlay", "--private-network", "--register=no", "--keep-unit",
            f"--system-call-filter={_LANDLOCK}", f"--machine=edge-{os.getpid()}", *shown,
        ]  # fmt: skip
        self._log = log
        self._leader = 0

    def __enter__(self) -> Self:
        # Without it systemd inside would not hear when the last process of a service ends.
        old = not Path("/sys/fs/cgroup/cgroup.controllers").exists()
        environment = {**os.environ, **({"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"} if old else {})}
        with self._log.open("wb") as log:
            self._nspawn = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, start_new_session=True,
            )  # fmt: skip
        try:
            self.until(self._booted, "boot", 60)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._nspawn.terminate()  # it then kills the first process of the container, and with it all others
        self._nspawn.wait(30)

    def _booted(self) -> bool:
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        if not children:
            return False
        self._leader = int(children[0])
        state = self.run("systemctl", "is-system-running").stdout.strip()
        return state in {"running", "degraded"}

    def agent(self, *arguments: str) -> str:
        """Run edge-agent as root inside, as an operator does; give what it says, once it has ended with 0."""
        done = self.run("/opt/edge-agent/bin/edge-agent", *arguments)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as root inside."""
        return subprocess.run(
            [*_ENTER, "-t", str(self._leader), "--", *_CLEAN, *command],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def write(self, path: str, text: str) -> None:
        """Write a file inside."""
        script = f"mkdir -p {Path(path).parent} && cat > {path}"
        done = subprocess.run(
            [*_ENTER, "-t", str(self._leader), "--", *_CLEAN, "sh", "-c", script],
            input=text, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert done.returncode == 0

    def start(self, config: str) -> None:
        """Start the service on a configuration; it is ready afterwards."""
        self.write("/etc/edge-agent/agent.toml", config)
        self.run("systemctl", "reset-failed", UNIT)
        started = self.run("systemctl", "start", UNIT)
        assert started.returncode == 0, started.stderr + self.journal()

    def journal(self, unit: str = UNIT) -> str:
        """Give what a service, and systemd of it, have said."""
        return self.run("journalctl", "-u", unit, "--no-pager", "-n", "200").stdout

    def show(self, name: str, unit: str = UNIT) -> str:
        """Give a property of a service."""
        return self.run("systemctl", "show", "-P", name, unit).stdout.strip()

    def status(self) -> dict[str, Any] | None:
        """Ask the agent on its socket; None while it does not answer."""
        line = self.run("/usr/bin/python3", "-c", _ASK).stdout
        if not line.strip():
            return None
        found: dict[str, Any] = orjson.loads(line)
        return found

    def inferring(self) -> dict[str, Any]:
        """Wait until the agent has inferred some frames since its start; give its status."""
        found: list[dict[str, Any]] = []

        def ready() -> bool:
            status = self.status()
            if status and status["pipelines"][0]["ledger"]["inferred"] > 20:
                found.append(status)
            return bool(found)

        self.until(ready, "infer", 60)
        return found[-1]

    def records(self, stream: str, epoch: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Read what the agent has on its disk: a stream's records, and the newest ledger of the pipeline."""
        told = self.run("/usr/bin/python3", "-c", _READ, DATA, stream, epoch)
        assert told.returncode == 0, told.stderr
        records, ledger = orjson.loads(told.stdout)
        return records, ledger

    def kill(self, name: str, pid: int) -> None:
        """Send a signal to a process inside, by its id in there; 0 would be everyone."""
        assert pid > 1
        assert self.run("kill", f"-{name}", str(pid)).returncode == 0

    def until(self, condition: Callable[[], bool], what: str, timeout_s: float) -> float:
        """Wait; give the seconds that it took."""
        began = time.monotonic()
        while not condition():
            assert self._nspawn.poll() is None, self._log.read_text(errors="replace")
            if time.monotonic() - began > timeout_s:
                journal = self.journal() if self._leader else ""
                raise AssertionError(f"it did not {what} in {timeout_s} s:\n{journal}")
            time.sleep(0.05)
        return time.monotonic() - began


def missing() -> str:
    """Say why these tests cannot run here; "" when they can."""
    if os.geteuid() != 0:
        return "run as root: it boots a container"
    programs = [
        name for name in ("systemd-nspawn", "nsenter", "setpriv", "mmdebstrap") if shutil.which(name) is None
    ]
    return f"install {', '.join(programs)} (Debian: systemd-container, mmdebstrap)" if programs else ""
