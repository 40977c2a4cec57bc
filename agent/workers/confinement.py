"""A worker gives up what it does not need, before it opens a model or a source.

It runs native code on pixels that nobody vouches for, and it runs as the user that holds the keys. So it
keeps its descriptors, what it must read, and its own camera; it starts no program, and signals nobody else.
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

from agent import resources
from agent.errors import FolderUnusable
from agent.launcher.starting import Launcher, Resident
from agent.types import Needs
from agent.workers import _capabilities, _landlock, _seccomp
from agent.workers._landlock import DEVICE, OWN, READ, READ_DIR, RUN, WRITE, Grant
from agent.workers._paths import carved, identity, named_files, open_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from agent.pipelines import Stage
    from agent.types import Command
    from agent.workers.spec import LaneSpec

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


def confine(spec: LaneSpec, needs: Iterable[Needs]) -> Confinement:
    """Confine this thread and those that it starts; there must be no other yet.

    Args:
        spec: says which model, and what stays hidden.
        needs: of the source and the backend.

    Raises:
        OSError: the kernel can do it, and refuses.
        FolderUnusable: the folder for pictures cannot be made.
    """
    if not spec.confine:
        return Confinement()
    wanted = _together(needs)
    devices = open_to(spec.hidden, (*spec.devices, *wanted.devices))
    grants = list(_grants(spec, wanted.read, devices, network=wanted.network))
    return _owning(spec.hidden, wanted, devices, grants)


def _together(needs: Iterable[Needs]) -> Needs:
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
    landlock, filtered = _shut(grants, wanted)
    return Confinement(landlock, filtered, (*devices, *theirs), granted, tuple(hidden))


def _launch(hidden: Sequence[str], commands: Sequence[Command]) -> tuple[str, ...]:
    """Start the launcher, where something is to be launched; give the devices and programs it may open."""
    if not commands:
        return ()
    theirs = _together(one.needs for one in commands)
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
    landlock = _landlock.restrict(grants, network=needs.network) if rules else 0
    filtered = _seccomp.install(
        network=needs.network, hotplug=needs.hotplug, can=needs.can, children=children
    )
    return landlock, filtered


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
    moves = _landlock.abi() != 1  # the first one lets nobody move a bundle from one folder into another
    return Confinement(*_shut(grants, Needs(network=True), rules=moves))


def confine_owner(hidden: Iterable[str], needs: Needs) -> Confinement:
    """Confine a process that owns a device, and gets all else handed over; it has no other thread yet.

    Args:
        hidden: paths that stay closed wherever they stand.
        needs: of the delegate or the source: its library, its device.

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


def _grants(spec: LaneSpec, read: Iterable[str], devices: Iterable[str], *, network: bool) -> Iterator[Grant]:
    hidden = [os.path.realpath(path) for path in spec.hidden]
    mine = [*_python(), *_models(spec), *read]
    for path in mine:
        yield from carved(os.path.realpath(path), hidden)
    for path in (*_LIBRARIES, *_KERNEL, *(_NETWORK if network else ())):
        yield Grant(path, READ)
    yield Grant("/dev", READ_DIR)
    for path in (*_PLAIN_DEVICES, *devices):
        yield Grant(path, DEVICE)
    yield from _bundles(spec)
    if spec.draw:
        yield Grant(_folder(spec.draw), WRITE)


def _bundles(spec: LaneSpec) -> Iterator[Grant]:
    """Grant reading of the proved bundles in the hidden data folder, unless a link leads away."""
    if spec.bundles:
        path = Path(spec.bundles).absolute()
        data = os.path.realpath(path.parents[1])  # systemd has links above it
        if os.path.realpath(path) == str(Path(data, *path.parts[-2:])):
            yield Grant(str(path), READ)


def _folder(path: str) -> str:
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderUnusable(
            "draw into", path, error.strerror or str(error), "Give a folder that can be written"
        ) from error
    return path


def _python() -> Iterator[str]:
    """Where modules and their libraries come from."""
    yield from {sys.prefix, sys.base_prefix, *site.getsitepackages()}
    yield from (path for path in sys.path if Path(path).is_dir())
    yield from (path for path in os.environ.get("LD_LIBRARY_PATH", "").split(":") if path)


def _models(spec: LaneSpec) -> Iterator[str]:
    """The models of the pipeline, and what stands beside them."""
    every: tuple[LaneSpec | Stage, ...] = (spec, *spec.stages)
    for one in every:
        yield one.model
        yield from (path for path in (one.labels, *named_files(one.decoder)) if path)
    yield from map(str, resources.bundled_models().values())


def _drop_capabilities() -> None:
    """Where root runs the agent: keep what root may read, and no other power."""
    effective, permitted = _capabilities.held()
    if (effective | permitted) & ~_capabilities.READ:  # in the service there is none, and its filter refuses
        _capabilities.hold(effective & _capabilities.READ, permitted & _capabilities.READ)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    nothing = ctypes.c_ulong(0)
    if libc.prctl(option, ctypes.c_ulong(value), nothing, nothing, nothing) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), "prctl")
