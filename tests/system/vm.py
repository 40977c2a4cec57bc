"""A machine that boots a kernel of its own, with devices that tests plug in: QEMU, without KVM or a network.

It is emulated, so that it runs anywhere, and some ten times slower than this machine.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Self

import orjson

from tests.system.booted import Booted

if TYPE_CHECKING:
    from pathlib import Path

_QEMU = "qemu-system-x86_64"
_PROGRAMS = {
    _QEMU: "qemu-system-x86",
    "mmdebstrap": "mmdebstrap",
    "cpio": "cpio",
    "depmod": "kmod",
    "mke2fs": "e2fsprogs",
}
_BOOT_S, _COMMAND_S = 300.0, 900.0


class Vm(Booted):
    """A booted machine; its changes to the disk are forgotten. A context manager that leaves nothing.

    Args:
        built: the folder that ``vm.sh`` has filled.
        folder: where its console and its socket go.
    """

    patience = 20.0

    def __init__(self, built: Path, folder: Path) -> None:
        self._log = folder / "console"
        self._path = folder / "hand"
        self._command = [
            "setpriv", "--pdeathsig", "KILL", "nice", "-n", "10", _QEMU, "-M", "q35", "-cpu", "max",
            "-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024", "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-serial", f"file:{self._log}",
            "-kernel", str(built / "vmlinuz"), "-initrd", str(built / "initrd"),
            "-append", "console=ttyS0 panic=-1 mitigations=off nokaslr loglevel=4",
            "-drive", f"file={built / 'disk.img'},format=raw,if=none,id=disk,snapshot=on",
            "-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=hand,path={self._path},server=on,wait=off",
            "-device", "virtserialport,chardev=hand,name=hand",
        ]  # fmt: skip
        self._ready = False

    def __enter__(self) -> Self:
        self._qemu = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)
        self._hand = socket.socket(socket.AF_UNIX)
        self._told = self._hand.makefile("rb")
        try:
            self._wait()
            self.until(self._booted, "boot", 60)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._told.close()
        self._hand.close()
        self._qemu.kill()
        self._qemu.wait(30)

    def _wait(self) -> None:
        deadline = time.monotonic() + _BOOT_S
        while self._hand.connect_ex(str(self._path)) != 0:
            assert self.alive(), "qemu ended at once"
            assert time.monotonic() < deadline, "qemu does not listen"
            time.sleep(0.05)
        self._hand.settimeout(_BOOT_S)
        try:
            self._ready = "ready" in orjson.loads(self._told.readline() or b"{}")
        except TimeoutError as error:
            raise AssertionError(self.console()) from error
        assert self._ready, self.console()
        self._hand.settimeout(_COMMAND_S)

    def _booted(self) -> bool:
        return self.run("systemctl", "is-system-running").stdout.strip() in {"running", "degraded"}

    def run(self, *command: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command as root inside, with ``said`` as its input."""
        self._hand.sendall(orjson.dumps({"command": command, "input": said}) + b"\n")
        told = orjson.loads(self._told.readline())
        return subprocess.CompletedProcess(command, told["code"], told["out"], told["err"])

    def sh(self, script: str) -> str:
        """Run a shell's script as root inside; give what it says, once it has ended with 0."""
        done = self.run("sh", "-ec", script)
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._qemu.poll() is None

    def reachable(self) -> bool:
        """Whether commands can be run inside."""
        return self._ready

    def console(self) -> str:
        """Give what its console says."""
        return self._log.read_text(errors="replace")


def missing() -> str:
    """Say why these tests cannot run here; "" when they can."""
    if os.uname().machine != "x86_64":
        return "a machine of x86-64"
    if os.geteuid() != 0:
        return "run as root: it builds a file system"
    packages = sorted({package for program, package in _PROGRAMS.items() if shutil.which(program) is None})
    return f"apt-get install {' '.join(packages)}" if packages else ""
