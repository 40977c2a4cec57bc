"""64-bit ARM on another machine: its programs by qemu-user, its boards by qemu-system."""

from __future__ import annotations

import os
import shutil

_PROGRAMS = {
    "qemu-aarch64-static": "qemu-user-static",
    "qemu-system-aarch64": "qemu-system-arm",
    "mmdebstrap": "mmdebstrap",
    "arch-test": "arch-test",
    "cpio": "cpio",
    "depmod": "kmod",
    "mke2fs": "e2fsprogs",
}


def missing() -> str:
    """Say why these tests cannot run here; "" when they can."""
    if os.geteuid() != 0:
        return "run as root: it builds a file system"
    packages = sorted({package for program, package in _PROGRAMS.items() if shutil.which(program) is None})
    return f"apt-get install {' '.join(packages)}" if packages else ""
