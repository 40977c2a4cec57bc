"""A process of ours gives up what it does not need, before it opens a device or hears of a stranger.

It may run native code on bytes that nobody vouches for, and it runs as the user that holds the keys. So it
keeps its descriptors, what it must read, and its own device; it starts no program, and signals nobody else.
What its source must run, a launcher beside it runs, which was told of it before.
docs/security.md has the whole list.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import site
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.confinement import capabilities, landlock, seccomp
from agent.confinement.landlock import DEVICE, OWN, READ, READ_DIR, RUN, Grant
from agent.confinement.paths import carved, identity, open_to
from agent.launcher.starting import Launcher, Resident
from agent.types import Needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from agent.types import Command

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_LIBRARIES = ("/usr", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/etc/timezone")
# Whole, as a file in /proc gets another inode when memory runs short, and then its rule is gone.
_KERNEL = ("/proc", "/sys")
_NETWORK = (
    "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf",
    "/etc/services", "/etc/ssl", "/run/systemd/resolve",
)  # fmt: skip
_PLAIN_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


@dataclass(frozen=True, slots=True)
class Confinement:
    """What is in force in this worker.

    Attributes:
        landlock: the ABI, 0 for none.
        seccomp: whether the filter is on.
        devices: what the source, the backend and the launcher may open: nodes, and programs.
    """

    landlock: int = 0
    seccomp: bool = False
    devices: tuple[str, ...] = ()
    _granted: frozenset[tuple[int, int]] = field(default=frozenset(), repr=False)
    _hidden: tuple[str, ...] = field(default=(), repr=False)

    def stranger(self, now: Iterable[str] = ()) -> str:
        """Name a device or program that came after the rules, so that this process can't open it; or give "".

        Args:
            now: what the source would open by now, where its name leads elsewhere than it did.
        """
        if not self.landlock:
            return ""
        wanted = (*self.devices, *open_to(self._hidden, now))
        there = ((path, identity(path)) for path in wanted)
        return next((path for path, it in there if it is not None and it not in self._granted), "")


def close_memory() -> None:
    """Close this process's memory, environment and descriptors to others of the same user (prctl(2))."""
    _prctl(_PR_SET_DUMPABLE, 0)


def together(needs: Iterable[Needs]) -> Needs:
    """Give all that several need."""
    every = list(needs)
    return Needs(
        read=tuple(path for one in every for path in one.read),
        devices=tuple(path for one in every for path in one.devices),
        network=any(one.network for one in every),
        hotplug=any(one.hotplug for one in every),
        programs=tuple(command for one in every for command in one.programs),
        can=any(one.can for one in every),
    )


def _owning(
    hidden: Sequence[str], wanted: Needs, devices: tuple[str, ...], grants: list[Grant]
) -> Confinement:
    """Start the launcher, note what may be opened, so that what comes later is known for it, and shut."""
    theirs, read = _launch(hidden, wanted.programs), open_to(hidden, wanted.read)
    granted = frozenset(it for path in (*devices, *theirs, *read) if (it := identity(path)) is not None)
    abi, filtered = _shut(grants, wanted)
    return Confinement(abi, filtered, (*devices, *theirs), granted, tuple(hidden))


def _launch(hidden: Sequence[str], commands: Sequence[Command]) -> tuple[str, ...]:
    """Start the launcher, where something is to be launched; give the devices and programs it may open."""
    if not commands:
        return ()
    theirs = together(one.needs for one in commands)
    devices = open_to(hidden, theirs.devices)
    rules = {
        "hidden": list(hidden),
        "devices": devices,
        "read": list(theirs.read),
        "network": theirs.network,
        "hotplug": theirs.hotplug,
    }
    Resident.launcher = Launcher([one.argv for one in commands], rules)
    return (*devices, *(path for one in commands if (path := shutil.which(one.argv[0]))))


def _shut(
    grants: list[Grant], needs: Needs, *, rules: bool = True, children: bool = False
) -> tuple[int, bool]:
    """Give up, for good, whatever is not granted or needed: what all processes of ours have in common.

    Args:
        grants: the paths that stay open.
        needs: the sockets that do.
        rules: whether Landlock is used, where there is one.
        children: whether programs may be started.

    Returns:
        Landlock's ABI, 0 for none, and whether the filter is on.
    """
    close_memory()
    _drop_capabilities()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    abi = landlock.restrict(grants, network=needs.network) if rules else 0
    filtered = seccomp.install(network=needs.network, hotplug=needs.hotplug, can=needs.can, children=children)
    return abi, filtered


def confine_updater(folder: str, read: Iterable[str]) -> Confinement:
    """Confine a process that talks with a network, and writes into one folder; it has no other thread yet.

    Args:
        folder: its own; it must be there.
        read: what it must read besides: certificates.

    Raises:
        OSError: the kernel can do it, and refuses.
    """
    paths = (*_python(), *_LIBRARIES, *_KERNEL, *_NETWORK, *read)
    grants = [*(Grant(path, READ) for path in paths), Grant("/dev", READ_DIR), Grant(folder, OWN)]
    grants += [Grant(path, DEVICE) for path in _PLAIN_DEVICES]
    moves = landlock.abi() != 1  # the first one lets nobody move a bundle from one folder into another
    return Confinement(*_shut(grants, Needs(network=True), rules=moves))


def confine_owner(hidden: Iterable[str], needs: Needs, more: Iterable[Grant] = ()) -> Confinement:
    """Confine a process that owns a device, and gets all else handed over; it has no other thread yet.

    Args:
        hidden: paths that stay closed wherever they stand.
        needs: of the delegate or the source: its library, its device.
        more: what else it may reach, without a look at ``hidden``.

    Raises:
        OSError: the kernel can do it, and refuses.
    """
    closed = [os.path.realpath(path) for path in hidden]
    paths = (*_python(), *needs.read)
    grants = [grant for path in paths for grant in carved(os.path.realpath(path), closed)]
    network = _NETWORK if needs.network else ()
    grants += [Grant(path, READ) for path in (*_LIBRARIES, *_KERNEL, *network)]
    devices = open_to(closed, needs.devices)
    grants += [Grant("/dev", READ_DIR), *(Grant(path, DEVICE) for path in (*_PLAIN_DEVICES, *devices))]
    grants += more
    return _owning(closed, needs, devices, grants)


def confine_launcher(hidden: Iterable[str], programs: Iterable[str], needs: Needs) -> Confinement:
    """Confine a process that starts programs, and with it them; it has no other thread yet.

    Args:
        hidden: paths that stay closed wherever they stand.
        programs: where they are, beyond the usual folders.
        needs: what they must reach.

    Raises:
        OSError: the kernel can do it, and refuses.
    """
    closed = [os.path.realpath(path) for path in hidden]
    paths = (*_python(), *programs, "/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/opt")
    found = (grant for path in paths for grant in carved(os.path.realpath(path), closed))
    grants = [replace(one, access=RUN) if one.access == READ else one for one in found]
    also = ("/etc", "/run/udev", *needs.read, *(_NETWORK if needs.network else ()))
    grants += [grant for path in also for grant in carved(os.path.realpath(path), closed)]
    grants += [Grant(path, READ) for path in _KERNEL]
    devices = open_to(closed, needs.devices)
    grants += [Grant("/dev", READ_DIR), *(Grant(path, DEVICE) for path in (*_PLAIN_DEVICES, *devices))]
    return Confinement(*_shut(grants, needs, children=True), devices)


def _python() -> Iterator[str]:
    """Where modules and their libraries come from."""
    yield from {sys.prefix, sys.base_prefix, *site.getsitepackages()}
    yield from (path for path in sys.path if Path(path).is_dir())
    yield from (path for path in os.environ.get("LD_LIBRARY_PATH", "").split(":") if path)


def _drop_capabilities() -> None:
    """Where root runs the agent: keep what root may read, and no other power."""
    effective, permitted = capabilities.held()
    if (effective | permitted) & ~capabilities.READ:  # in the service there is none, and its filter refuses
        capabilities.hold(effective & capabilities.READ, permitted & capabilities.READ)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    nothing = ctypes.c_ulong(0)
    if libc.prctl(option, ctypes.c_ulong(value), nothing, nothing, nothing) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), "prctl")
