"""A filter on system calls (seccomp(2)): what a worker never does is refused with EPERM.

By hand, since it is small, and no well-kept library of it has wheels for ARM. A refusal is an error, not a
kill: libraries probe for calls that they can do without.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass
from pathlib import Path

_PR_SET_SECCOMP, _FILTER = 22, 2
_NR, _ARCH, _ARGS = 0, 4, 16
"""Offsets in the kernel's struct seccomp_data."""
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""BPF instructions: on 32-bit words, against a constant."""
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_X32 = 0x40000000
_CLONE_THREAD = 0x00010000

_NEVER = {  # on x86-64, 64-bit ARM, 32-bit ARM; -1 where there is no such call
    # memory and descriptors of other processes
    "ptrace": (101, 117, 26),
    "process_vm_readv": (310, 270, 376),
    "process_vm_writev": (311, 271, 377),
    "kcmp": (312, 272, 378),
    "pidfd_getfd": (438, 438, 438),
    "process_madvise": (440, 440, 440),
    "process_mrelease": (448, 448, 448),
    "migrate_pages": (256, 238, 400),
    "move_pages": (279, 239, 344),
    # signals to other processes, and their place in the queue for the processor
    "tkill": (200, 130, 238),
    "pidfd_send_signal": (424, 424, 424),
    "setpriority": (141, 140, 97),
    "ioprio_set": (251, 30, 314),
    "sched_setscheduler": (144, 119, 156),
    "sched_setparam": (142, 118, 154),
    "sched_setattr": (314, 274, 380),
    # other programs
    "execve": (59, 221, 11),
    "execveat": (322, 281, 387),
    "fork": (57, -1, 2),
    "vfork": (58, -1, 190),
    # file systems and namespaces
    "mount": (165, 40, 21),
    "umount2": (166, 39, 52),
    "pivot_root": (155, 41, 218),
    "chroot": (161, 51, 61),
    "move_mount": (429, 429, 429),
    "open_tree": (428, 428, 428),
    "fsopen": (430, 430, 430),
    "fsconfig": (431, 431, 431),
    "fsmount": (432, 432, 432),
    "fspick": (433, 433, 433),
    "mount_setattr": (442, 442, 442),
    "unshare": (272, 97, 337),
    "setns": (308, 268, 375),
    "open_by_handle_at": (304, 265, 371),
    "fanotify_init": (300, 262, 367),
    "quotactl": (179, 60, 131),
    "swapon": (167, 224, 87),
    "swapoff": (168, 225, 115),
    # parts of the kernel that have been ways in
    "bpf": (321, 280, 386),
    "perf_event_open": (298, 241, 364),
    "keyctl": (250, 219, 311),
    "add_key": (248, 217, 309),
    "request_key": (249, 218, 310),
    "io_uring_setup": (425, 425, 425),
    "io_uring_enter": (426, 426, 426),
    "io_uring_register": (427, 427, 427),
    "userfaultfd": (323, 282, 388),
    "modify_ldt": (154, -1, -1),
    "personality": (135, 92, 136),
    # the machine itself
    "kexec_load": (246, 104, 347),
    "kexec_file_load": (320, 294, 401),
    "init_module": (175, 105, 128),
    "finit_module": (313, 273, 379),
    "delete_module": (176, 106, 129),
    "reboot": (169, 142, 88),
    "acct": (163, 89, 51),
    "syslog": (103, 116, 103),
    "iopl": (172, -1, -1),
    "ioperm": (173, -1, -1),
    "settimeofday": (164, 170, 79),
    "clock_settime": (227, 112, 262),
    "clock_settime64": (-1, -1, 404),
    "clock_adjtime": (305, 266, 372),
    "clock_adjtime64": (-1, -1, 405),
    "adjtimex": (159, 171, 124),
    "sethostname": (170, 161, 74),
    "setdomainname": (171, 162, 121),
    # queues of other processes
    "msgget": (68, 186, 303),
    "semget": (64, 190, 299),
    "shmget": (29, 194, 307),
    "mq_open": (240, 180, 274),
}
_ONLY_ONESELF = {  # the call, and which argument is the process; 0 stands for oneself where it may
    "kill": ((62, 129, 37), 0, False),
    "tgkill": ((234, 131, 268), 0, False),
    "rt_sigqueueinfo": ((129, 138, 178), 0, False),
    "rt_tgsigqueueinfo": ((297, 240, 363), 0, False),
    "prlimit64": ((302, 261, 369), 0, True),
    "sched_setaffinity": ((203, 122, 241), 0, True),
}
_OF_PARENTS = frozenset((
    "execve", "execveat", "fork", "vfork", "kill", "tkill", "tgkill", "pidfd_send_signal", "semget", "shmget",
))  # fmt: skip
"""What starting and ending programs takes, and what these may do to each other: ALSA shares memory so."""
_CLONE, _CLONE3 = (56, 220, 120), (435, 435, 435)
_PRCTL = (157, 167, 172)
_PRCTL_NEVER = (1, 4, 35, 0x59616D61)
"""PR_SET_PDEATHSIG, _DUMPABLE, _MM, _PTRACER: what ties and closes a worker stays as it is."""
_SOCKET = (41, 198, 281)
_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, and AF_NETLINK, which resolving a name needs."""
_NETLINK, _UEVENT = 16, 15
"""AF_NETLINK, and NETLINK_KOBJECT_UEVENT: how the kernel tells of devices that come and go."""
_CAN, _CAN_RAW = 29, 1
"""AF_CAN, and CAN_RAW: messages of a bus, without the kernel's protocols above them."""

_ARCHES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7), "arm": (2, 0x40000028)}
"""Which column, and the kernel's name of the architecture (AUDIT_ARCH)."""

_REFUSE = (_RETURN, 0, 0, _ERRNO | errno.EPERM)

Code = list[tuple[int, int, int, int]]
"""Instructions: what, jump if true, jump if false, constant."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What system calls look like here."""

    column: int
    audit: int


def machine() -> Machine | None:
    """Give this process's architecture; None where the filter does not know it."""
    name = platform.machine()
    if struct.calcsize("P") == 4:  # a 32-bit program, maybe under a 64-bit kernel
        name = "arm" if name.startswith(("arm", "aarch64")) else name + "/32"
    found = _ARCHES.get(name)
    return Machine(*found) if found else None


def available() -> bool:
    """Whether the kernel has filters, and we know its system calls."""
    return machine() is not None and Path("/proc/sys/kernel/seccomp").is_dir()


def program(
    here: Machine,
    pid: int,
    *,
    network: bool,
    hotplug: bool = False,
    can: bool = False,
    children: bool = False,
) -> Code:
    """Give the filter for a process.

    Args:
        here: its architecture.
        pid: its id: to itself it may send signals.
        network: allow the sockets of a network.
        hotplug: allow the socket on which the kernel tells of devices: libusb does not start without.
        can: allow raw CAN sockets.
        children: allow to start programs, to tie them to this process, and to signal others.
    """
    refuse = _REFUSE
    code: Code = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, here.audit), refuse, (_LOAD, 0, 0, _NR)]
    if here.column == 0:  # the second set of calls on x86-64, by other numbers
        code += [(_AT_LEAST, 0, 1, _X32), refuse]
    allowed = _OF_PARENTS if children else frozenset()
    for name, numbers in _NEVER.items():
        if numbers[here.column] >= 0 and name not in allowed:
            code += [(_EQUAL, 0, 1, numbers[here.column]), refuse]
    # Its flags are in memory, where a filter cannot look; the C library then takes the older call.
    code += [(_EQUAL, 0, 1, _CLONE3[here.column]), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    if not children:
        code += _on(_CLONE[here.column], 0, [(_ANY_BIT, 1, 0, _CLONE_THREAD), refuse])
    for name, (numbers, argument, zero) in _ONLY_ONESELF.items():
        mine = [pid, 0] if zero else [pid]
        code += [] if name in allowed else _on(numbers[here.column], argument, _only(mine))
    never = _PRCTL_NEVER[1:] if children else _PRCTL_NEVER
    code += _on(_PRCTL[here.column], 0, [part for one in never for part in ((_EQUAL, 0, 1, one), refuse)])
    single = [(_NETLINK, _UEVENT)] if hotplug and not network else []
    single += [(_CAN, _CAN_RAW)] if can else []
    code += _on(_SOCKET[here.column], 0, _sockets(_FAMILIES if network else (), single))
    return [*code, (_RETURN, 0, 0, _ALLOW)]


def _sockets(families: tuple[int, ...], single: list[tuple[int, int]]) -> Code:
    """Refuse all sockets but those of these families, and of one protocol of a family."""
    code: Code = []
    for family, protocol in single:
        code += [(_EQUAL, 0, 4, family), (_LOAD, 0, 0, _ARGS + 8 * 2)]
        code += [(_EQUAL, 0, 1, protocol), (_RETURN, 0, 0, _ALLOW), _REFUSE]
    return [*code, *_only(families)]


def _on(number: int, argument: int, then: Code) -> Code:
    """Load an argument of one call, judge it, and allow what was not refused."""
    body: Code = [(_LOAD, 0, 0, _ARGS + 8 * argument), *then, (_RETURN, 0, 0, _ALLOW)]
    return [(_EQUAL, 0, len(body), number), *body]


def _only(values: list[int] | tuple[int, ...]) -> Code:
    """Refuse all but these values of the argument that is loaded."""
    tests: Code = [(_EQUAL, len(values) - at, 0, value) for at, value in enumerate(values)]
    return [*tests, _REFUSE]


class _Program(ctypes.Structure):
    _fields_ = (("count", ctypes.c_ushort), ("code", ctypes.c_char_p))


def install(*, network: bool, hotplug: bool = False, can: bool = False, children: bool = False) -> bool:
    """Put the filter on this thread and what it starts. PR_SET_NO_NEW_PRIVS must be set.

    Returns:
        Whether it is in force; False where the kernel has no filters, or the architecture is unknown.

    Raises:
        OSError: the kernel has filters, and refuses this one.
    """
    here = machine()
    if here is None:
        return False
    code = program(here, os.getpid(), network=network, hotplug=hotplug, can=can, children=children)
    packed = b"".join(struct.pack("=HBBI", *one) for one in code)
    libc = ctypes.CDLL(None, use_errno=True)
    filled = _Program(len(code), packed)
    nothing = ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(filled), nothing, nothing) == 0:
        return True
    code_of_error = ctypes.get_errno()
    if code_of_error == errno.EINVAL:  # a kernel that was built without
        return False
    raise OSError(code_of_error, os.strerror(code_of_error), "seccomp")
