"""64-bit ARM on another machine: its programs by qemu-user, its boards by qemu-system."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.system import needs
from tests.system.building import BUILT, HERE, REPOSITORY

CPU = "cortex-a72"
_PROGRAMS = {
    "qemu-aarch64-static": "qemu-user-static",
    "qemu-system-aarch64": "qemu-system-arm",
    "update-binfmts": "binfmt-support",
    "mmdebstrap": "mmdebstrap",
    "arch-test": "arch-test",
    "cpio": "cpio",
    "depmod": "kmod",
    "mke2fs": "e2fsprogs",
}
_FORMATS = Path("/proc/sys/fs/binfmt_misc")
_TIMEOUT_S = 600.0
_TOOLS = ("pytest>=8.3", "pytest-timeout>=2.3", "hypothesis>=6.112")


class Userland:
    """Programs of 64-bit ARM on this machine's kernel, each in a namespace of its own.

    Args:
        root: the file system, as ``rootfs.sh`` builds it.
        scratch: what they see at /tmp.
        shown: a folder of this machine that they see at /src, read-only.
    """

    def __init__(self, root: Path, scratch: Path, shown: Path = REPOSITORY) -> None:
        self._command = [str(HERE / "userland.sh"), str(root), str(shown), str(scratch), CPU]
        register()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""
        return subprocess.run(
            [*self._command, *command], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )

    def says(self, *command: str) -> str:
        """Give what a program says, once it has ended with 0."""
        done = self.run(*command)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout


def unit_tests(arm: Userland, *paths: str) -> str:
    """Run tests of this checkout there, without fixtures of ours; give what pytest says at the end."""
    tools = BUILT / "arm64-tests"
    if not tools.exists():
        machine = [f"--platform=manylinux{glibc}_aarch64" for glibc in ("2014", "_2_28", "_2_34")]
        python = ["--only-binary=:all:", "--python-version=3.11", "--implementation=cp", "--abi=cp311"]
        wanted = ["--abi=abi3", "--abi=none", "--no-compile", f"--target={tools}", *_TOOLS]
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "-qq", *machine, *python, *wanted],
            check=True,
            timeout=300,
        )
    # Its profile for CI has no deadlines, and tries the same examples each time.
    options = ["--noconftest", "-p", "no:cacheprovider", "--hypothesis-profile=ci", "-q"]
    places = ["env", "-C", "/src", "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=/src/build/arm64-tests"]
    done = arm.run(*places, "/opt/edge-agent/bin/python", "-m", "pytest", *options, *paths)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout.splitlines()[-1]


def register() -> None:
    """Tell the kernel what runs programs of 64-bit ARM, as Debian's package does where systemd runs."""
    if not (_FORMATS / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(_FORMATS)], check=True)
    if not (_FORMATS / "qemu-aarch64").exists():
        subprocess.run(["update-binfmts", "--enable", "qemu-aarch64"], check=True)


def missing() -> str:
    """Say why these tests cannot run here; "" when they can."""
    return needs.missing(_PROGRAMS)
