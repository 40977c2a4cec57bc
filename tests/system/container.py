"""A machine that boots: Debian with systemd as its first process, in systemd-nspawn, without a network."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from agent.errors import AgentError
from agent.supervision.control import ask
from tests.system import needs
from tests.system.booted import SOCKET, Booted

if TYPE_CHECKING:
    from tests.system.disk import Disk

_PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
}
_LANDLOCK = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"
"""What nspawn itself would refuse."""
_ENTER = ("nsenter", "-m", "-p", "-u", "-i", "-n", "-C")
_CLEAN = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8")
_REBOOTS = 133
"""What nspawn ends with when its machine wants to be booted again."""
_BOOT_S, _END_S, _COMMAND_S = 120, 120, 120


class Container(Booted):
    """A booted container; its changes to ``root`` are forgotten, unless it has a disk.

    A context manager that leaves nothing, even when the process that holds it is killed.

    Args:
        root: the file system, as ``rootfs.sh`` builds it.
        log: where its console goes.
        binds: files and folders of this machine to show in it, read-only: path there to path here.
        writable: folders of this machine that it writes into, the same way.
        disk: what keeps its changes from one boot to the next.
    """

    def __init__(
        self,
        root: Path,
        log: Path,
        binds: dict[str, Path],
        writable: dict[str, Path] | None = None,
        disk: Disk | None = None,
    ) -> None:
        shown = [f"--bind-ro={here}:{there}" for there, here in binds.items()]
        shown += [f"--bind={here}:{there}" for there, here in (writable or {}).items()]
        where = ["-D", str(root), "--volatile=overlay"] if disk is None else ["-D", str(disk.root)]
        nspawn = [
            "systemd-nspawn", "--kill-signal=SIGKILL", "-q", "-b", *where, "--private-network",
            "--register=no", "--keep-unit", f"--system-call-filter={_LANDLOCK}",
            f"--machine=edge-{os.getpid()}", *shown,
        ]  # fmt: skip
        tied = ["setpriv", "--pdeathsig", "TERM"]
        self._command = [*tied, *(nspawn if disk is None else disk.mounted(root, nspawn))]
        self._disk = disk
        self._log = log
        self._leader = 0

    def __enter__(self) -> Self:
        self.boot()
        return self

    def __exit__(self, *_: object) -> None:
        self._nspawn.terminate()  # it then kills the first process of the container, and with it all others
        self._nspawn.wait(_END_S)

    def boot(self) -> None:
        """Switch it on, and wait until it is up."""
        # Without it systemd inside would not hear when the last process of a service ends.
        old = not Path("/sys/fs/cgroup/cgroup.controllers").exists()
        environment = {**os.environ, **({"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"} if old else {})}
        if self._disk is not None:
            self._disk.until_free()
        self._leader = 0
        with self._log.open("ab") as log:
            self._nspawn = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, start_new_session=True,
            )  # fmt: skip
        try:
            self.until(self._booted, "boot", _BOOT_S)
        except BaseException:
            self.__exit__()
            raise

    def reboot(self) -> None:
        """Have it boot again, as its operator would."""
        self.run("systemctl", "reboot")
        assert self._nspawn.wait(_END_S) == _REBOOTS, self.console()
        self.boot()

    def cut(self) -> None:
        """Cut its power: what its disk has not been told to keep is gone, and every process."""
        assert self._disk is not None
        self._disk.cut(self._nspawn.pid)
        os.kill(self._leader, signal.SIGKILL)
        self._nspawn.kill()
        self._nspawn.wait(_END_S)

    def _booted(self) -> bool:
        self._leader = _first_of(self._nspawn.pid)
        if not self._leader:
            return False
        state = self.run("systemctl", "is-system-running").stdout.strip()
        return state in {"running", "degraded"}

    def run(self, *command: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command as root inside, with ``said`` as its input."""
        return subprocess.run(
            [*_ENTER, "-t", str(self._leader), "--", *_CLEAN, *command],
            input=said, capture_output=True, text=True, timeout=_COMMAND_S, check=False,
        )  # fmt: skip

    def status(self) -> dict[str, Any] | None:
        """Ask the agent on its socket; None while it does not answer."""
        try:
            return ask(self.path(SOCKET), {"op": "status"})
        except AgentError:
            return None

    def path(self, inside: str) -> Path:
        """Say where a path of its is on this machine; what resolves links (SQLite does) ends elsewhere."""
        return Path(f"/proc/{self._leader}/root{inside}")

    def copied(self, inside: str, folder: Path) -> Path:
        """Copy a folder of its own into one of this machine; nobody should be writing there."""
        shutil.rmtree(folder, ignore_errors=True)
        unwanted = shutil.ignore_patterns("*.sock", "*-shm")
        return shutil.copytree(self.path(inside), folder, ignore=unwanted)

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._nspawn.poll() is None

    def reachable(self) -> bool:
        """Whether commands can be run inside."""
        return self._leader != 0

    def console(self) -> str:
        """Give what its console says."""
        return self._log.read_text(errors="replace")


def _first_of(nspawn: int) -> int:
    """Give the first process of a container; 0 while there is none.

    Before that, children of nspawn mount what it needs or prepare the container: commands that were run there
    would be run on this machine, and ask its systemd.
    """
    for child in Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split():
        try:
            status = Path(f"/proc/{child}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        pids = next(line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
        if len(pids) > 1 and pids[-1] == "1":
            return int(child)
    return 0


def missing() -> str:
    """Say why these tests cannot run here; "" when they can."""
    return needs.missing(_PROGRAMS)
