"""A machine that boots: Debian with systemd as its first process, in systemd-nspawn, without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

from tests.system.booted import Booted

_LANDLOCK = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"
"""What nspawn itself would refuse."""
_ENTER = ("nsenter", "-m", "-p", "-u", "-i", "-n", "-C")
_CLEAN = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8")


class Container(Booted):
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

    def run(self, *command: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command as root inside, with ``said`` as its input."""
        return subprocess.run(
            [*_ENTER, "-t", str(self._leader), "--", *_CLEAN, *command],
            input=said, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._nspawn.poll() is None

    def reachable(self) -> bool:
        """Whether commands can be run inside."""
        return self._leader != 0

    def console(self) -> str:
        """Give what its console says."""
        return self._log.read_text(errors="replace")


def missing() -> str:
    """Say why these tests cannot run here; "" when they can."""
    if os.geteuid() != 0:
        return "run as root: it boots a container"
    programs = [
        name for name in ("systemd-nspawn", "nsenter", "setpriv", "mmdebstrap") if shutil.which(name) is None
    ]
    return f"install {', '.join(programs)} (Debian: systemd-container, mmdebstrap)" if programs else ""
