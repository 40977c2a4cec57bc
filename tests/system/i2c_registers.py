"""Within a virtual machine: writes registers of a chip on i2c-stub: CHIP REGISTER=BYTES..., all in hex."""

from __future__ import annotations

import ctypes
import fcntl
import os
import sys

_SLAVE, _SMBUS, _BYTE_DATA = 0x0703, 0x0720, 2  # linux/i2c-dev.h, linux/i2c.h


class Args(ctypes.Structure):
    """The kernel's struct i2c_smbus_ioctl_data."""

    _fields_ = (
        ("write", ctypes.c_uint8),
        ("command", ctypes.c_uint8),
        ("size", ctypes.c_uint32),
        ("data", ctypes.c_void_p),
    )


def main(chip: str, *registers: str) -> None:
    """Write them."""
    fd = os.open("/dev/i2c-0", os.O_RDWR)
    fcntl.ioctl(fd, _SLAVE, int(chip, 16))
    for word in registers:
        first, _, held = word.partition("=")
        for at, byte in enumerate(bytes.fromhex(held), int(first, 16)):
            data = (ctypes.c_uint8 * 34)(byte)
            fcntl.ioctl(fd, _SMBUS, Args(0, at, _BYTE_DATA, ctypes.addressof(data)))
    os.close(fd)


if __name__ == "__main__":
    main(*sys.argv[1:])
