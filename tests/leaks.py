"""What a test must not leave behind: threads, descriptors, child processes, orphaned workers.

Counts are compared, not identities: a fixture of a wider scope may replace what it holds.
"""

from __future__ import annotations

import gc
import os
import re
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GRACE_S = 5.0
"""How long what is on its way out may take."""

_OURS = tuple(
    f"-m agent.{one} " for one in ("workers.main", "updater.main", "accelerator.main", "recovery.reset_main")
)
_INODE = re.compile(r":\[\d+\]$")
# Libraries open these once, at their first import or use, and keep them.
_KEPT = ("/dev/null", "/dev/random", "/dev/urandom", "/proc/", "/sys/", "/usr/", sys.prefix, sys.base_prefix)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What this process holds at one moment.

    Attributes:
        threads: names, with the thread's identity.
        descriptors: what they point at, such as "socket" or a path, and how many do.
        children: living child processes, by pid: their command lines.
    """

    threads: dict[int, str]
    descriptors: Counter[str]
    children: dict[int, str]

    @classmethod
    def now(cls) -> Holdings:
        """Take stock."""
        return cls(
            threads={id(t): t.name for t in threading.enumerate()},
            descriptors=_descriptors(),
            children=_children(),
        )

    def grown(self, before: Holdings) -> list[str]:
        """Say what there is more of than ``before``."""
        found = []
        for what, mine, theirs in (
            ("thread", self.threads, before.threads),
            ("child process", self.children, before.children),
        ):
            if len(mine) > len(theirs):
                found += [f"{what} {mine[key]!r}" for key in mine.keys() - theirs.keys()]
        found += [
            f"{n} descriptor(s) of {kind}" for kind, n in (self.descriptors - before.descriptors).items()
        ]
        return sorted(found)


def since(before: Holdings, grace_s: float = GRACE_S) -> list[str]:
    """Name what has been left since ``before`` and is still there after ``grace_s``."""
    return _settle(lambda: Holdings.now().grown(before), grace_s)


def orphans(grace_s: float = GRACE_S) -> list[str]:
    """Name workers and updaters of this environment whose supervisor is gone, whoever started it."""
    return _settle(_orphans, grace_s)


def _settle(look: Callable[[], list[str]], grace_s: float) -> list[str]:
    if not look():
        return []
    gc.collect()  # what only a cycle holds goes now; where others compute, this alone takes seconds
    deadline = time.monotonic() + grace_s
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def _orphans() -> list[str]:
    # Their last argument is their supervisor's pid: see agent/processes/child.py. A proof is a worker, too.
    return [
        f"process {pid} without its supervisor: {command!r}"
        for pid, parent in _processes()
        # Those of another environment are another run's business.
        if (command := _command(pid)).startswith(sys.executable)
        and any(one in command for one in _OURS)
        and command.split()[-1] != str(parent)
    ]


def _descriptors() -> Counter[str]:
    kinds: Counter[str] = Counter()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:  # closed meanwhile: it was the listing itself
            continue
        if not target.startswith(_KEPT):
            kinds[_INODE.sub("", target)] += 1
    return kinds


def _children() -> dict[int, str]:
    try:  # most tests start none, and the kernel knows that at once
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return {}
    mine = [pid for pid, parent in _processes() if parent == os.getpid()]
    return {pid: command for pid in mine if (command := _command(pid))}


def _processes() -> Iterator[tuple[int, int]]:
    """Give (pid, parent) of each process that is no zombie."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - twice as quick as Path, and done around each test
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - as above
                stat = file.read()
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
        state, parent = stat.rpartition(b")")[2].split(maxsplit=2)[:2]
        if state not in b"ZX":
            yield int(name), int(parent)


def _command(pid: int) -> str:
    """Give the command line of a process; "" when it has ended meanwhile."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return command.replace(b"\0", b" ").decode(errors="replace").strip()
