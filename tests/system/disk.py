"""A disk that can lose its power: ext4 in a file, mounted where nobody else sees it."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN (fs/ext4/ext4.h); the argument says what becomes of what was not written yet."""
_NOLOGFLUSH = 2
"""It is gone, and so is what the journal has not committed: as when the power goes."""
_FREE_S = 60.0
# The mounts are of one mount namespace: when its last process ends they are gone, and the loop device, too.
_MOUNT = """
mount -o loop "$1" "$2"
mkdir -p "$2/changes" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$3,upperdir=$2/changes,workdir=$2/work" "$2/root"
shift 3
exec "$@"
"""


class Disk:
    """What a machine has changed of its file system, in one file.

    Args:
        folder: an empty one, for the file and the place where it is mounted.
        size: of the disk, in bytes; the file takes what is written only.
    """

    def __init__(self, folder: Path, size: int = 1 << 30) -> None:
        self._image, self._place = folder / "disk.img", folder / "disk"
        self._place.mkdir()
        with self._image.open("wb") as file:
            file.truncate(size)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", str(self._image)], check=True)

    @property
    def root(self) -> Path:
        """The machine's file system, for the command of ``mounted``."""
        return self._place / "root"

    def mounted(self, root: Path, command: list[str]) -> list[str]:
        """Give ``command`` so that it sees, in place of nothing, the disk's changes laid over ``root``."""
        words = [str(self._image), str(self._place), str(root)]
        return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _MOUNT, "sh", *words, *command]

    def cut(self, pid: int) -> None:
        """Cut its power; ``pid`` is a process that has it mounted. All that it is asked from now on fails."""
        fd = os.open(f"/proc/{pid}/root{self._place}", os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _NOLOGFLUSH))
        finally:
            os.close(fd)

    def until_free(self) -> None:
        """Wait until nobody has it mounted."""
        give_up = time.monotonic() + _FREE_S
        while subprocess.run(["losetup", "-j", self._image], capture_output=True, check=True).stdout:
            assert time.monotonic() < give_up, f"{self._image} is still mounted"
            time.sleep(0.02)
