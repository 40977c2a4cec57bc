"""Landlock: from here on this thread, and what it starts, opens only what is granted (landlock(7)).

By hand over ctypes: three system calls, the same numbers on every architecture, and no library to ship.
"""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_MAKE_SYM, _REFER = 1 << 12, 1 << 13
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
READ = READ_FILE | READ_DIR
RUN = READ | _EXECUTE
DEVICE = READ_FILE | _WRITE_FILE | _IOCTL_DEV
WRITE = READ | _WRITE_FILE | _TRUNCATE | _MAKE_REG | _MAKE_DIR | _REMOVE_FILE
OWN = WRITE | _REMOVE_DIR | _MAKE_SYM | _REFER
"""All that one does in a folder of one's own; moving from one folder into another is known from ABI 2 on."""
_FOR_FILES = _EXECUTE | _WRITE_FILE | READ_FILE | _TRUNCATE | _IOCTL_DEV

_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights on files an ABI knows, as the first that knew so many."""
_TCP = 3
"""Binding and connecting, from ABI 4 on."""
_SCOPES = 3
"""Abstract sockets and signals of processes outside, from ABI 6 on."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What may be done with a file, or with everything below a folder."""

    path: str
    access: int


def abi() -> int:
    """Give the kernel's Landlock version; 0 where it has none, or keeps it switched off."""
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, 0, _VERSION)))


def restrict(grants: Iterable[Grant], *, network: bool) -> int:
    """Confine this thread. A path that is not there is left out. PR_SET_NO_NEW_PRIVS must be set.

    Args:
        grants: what stays open.
        network: leave TCP alone.

    Returns:
        The ABI that is in force; 0 where the kernel has none.

    Raises:
        OSError: the kernel has Landlock, and refuses the rules.
    """
    version = abi()
    if not version:
        return 0
    handled = (1 << _RIGHTS[max(known for known in _RIGHTS if known <= version)]) - 1
    tcp = _TCP if version >= 4 and not network else 0
    scopes = _SCOPES if version >= 6 else 0
    attributes = struct.pack("=QQQ", handled, tcp, scopes)[
        : 24 if version >= 6 else 16 if version >= 4 else 8
    ]
    ruleset = _call(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for grant in grants:
            _allow(ruleset, grant.path, grant.access & handled)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return version


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not there, or not for this user: nothing to allow
        return
    try:
        folder = os.path.isdir(f"/proc/self/fd/{fd}")  # noqa: PTH112 - of what is open, not of a name
        _call(
            _ADD_RULE,
            ruleset,
            _PATH_BENEATH,
            struct.pack("=Qi", access if folder else access & _FOR_FILES, fd),
            0,
        )
    finally:
        os.close(fd)


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def _call(number: int, *arguments: int | bytes) -> int:
    """Make a system call whose whole numbers are as wide as the kernel reads them."""
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    if (found := int(_libc().syscall(ctypes.c_long(number), *wide))) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), "landlock")
    return found
