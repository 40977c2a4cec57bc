"""A machine that boots a kernel of its own, with devices that tests plug in: QEMU, without KVM.

It is emulated, so that it runs anywhere, and some ten times slower than this machine. It reaches this
machine's loopback at 192.0.2.2, and nothing that needs a route.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import orjson

from tests.system import needs
from tests.system.booted import Booted

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "mmdebstrap": "mmdebstrap",
    "cpio": "cpio",
    "depmod": "kmod",
    "mke2fs": "e2fsprogs",
}
_BOOT_S, _COMMAND_S = 300.0, 900.0
_NETWORK = "ip link set eth0 up; ip address replace 192.0.2.15/24 dev eth0"


@dataclass(frozen=True, slots=True)
class Model:
    """What is emulated: QEMU's program and machine, and where the kernel finds its console."""

    program: str
    machine: tuple[str, ...]
    console: str


PC = Model("qemu-system-x86_64", ("-M", "q35", "-cpu", "max"), "ttyS0")
BOARD = Model("qemu-system-aarch64", ("-M", "virt", "-cpu", "cortex-a72"), "ttyAMA0")
"""One of 64-bit ARM, with the processor of a Raspberry Pi 4."""
OUTSIDE = "192.0.2.2"
"""This machine's loopback, as seen from within."""


class Vm(Booted):
    """A booted machine; its disk outlives a power cut. A context manager that leaves nothing.

    Args:
        built: the folder that ``vm.sh`` has filled.
        folder: where its console, its socket and its disk go.
        model: what is emulated.
    """

    patience = 20.0

    def __init__(self, built: Path, folder: Path, model: Model = PC) -> None:
        self._log, self._path = folder / "console", folder / "hand"
        self._original, self._disk = built / "disk.img", folder / "disk.img"
        self._command = [
            "setpriv", "--pdeathsig", "KILL", "nice", "-n", "10", model.program, *model.machine,
            "-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024", "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-serial", f"file:{self._log}",
            "-kernel", str(built / "vmlinuz"), "-initrd", str(built / "initrd"),
            "-append", f"console={model.console} panic=-1 mitigations=off nokaslr loglevel=4 net.ifnames=0",
            "-drive", f"file={self._disk},format=raw,if=none,id=disk,cache=writethrough",
            "-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci",
            "-netdev", "user,id=net,net=192.0.2.0/24,ipv6=off",
            "-device", "virtio-net-pci,netdev=net,romfile=",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=hand,path={self._path},server=on,wait=off",
            "-device", "virtserialport,chardev=hand,name=hand",
        ]  # fmt: skip
        self._ready = False

    def __enter__(self) -> Self:
        subprocess.run(["cp", "--sparse=always", str(self._original), str(self._disk)], check=True)
        self.boot()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._disk.unlink()

    def boot(self) -> None:
        """Switch it on; systemd has started all that it starts afterwards."""
        self._qemu = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)
        self._hand = socket.socket(socket.AF_UNIX)
        self._told = self._hand.makefile("rb")
        try:
            self._wait()
            self.until(self._booted, "boot", 60)
            self.sh(f"modprobe virtio_net; {_NETWORK}")
        except BaseException:
            self.cut()
            raise

    def cut(self) -> None:
        """Cut its power: what it has in memory is lost."""
        self._ready = False
        self._told.close()
        self._hand.close()
        self._qemu.kill()
        self._qemu.wait(30)
        self._path.unlink(missing_ok=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + _BOOT_S
        while not self._path.exists() or self._hand.connect_ex(str(self._path)) != 0:
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
    return needs.missing(_PROGRAMS)
