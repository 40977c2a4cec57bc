"""How much memory processes have, as the kernel counts it."""

from __future__ import annotations

from pathlib import Path

_KB_A_MB = 1024


def pss_mb(pid: int) -> float:
    """Give a process's proportional share, MiB: what it shares with others is divided among them (proc(5)).

    Raises:
        OSError: it is gone.
    """
    return _field(pid, "Pss")


def own_mb(pid: int) -> float:
    """Give what no file and nobody else has, MiB: this is the same whatever else runs.

    Raises:
        OSError: it is gone.
    """
    return _field(pid, "Anonymous")


def resident_mb(pid: int) -> float:
    """Give all that is mapped for it, MiB: as much as its share is where it runs alone.

    Raises:
        OSError: it is gone.
    """
    return _field(pid, "Rss")


def children(pid: int) -> dict[int, str]:
    """Give the programs that a process has started, and theirs, each with its module's name."""
    found: dict[int, str] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            found[child] = words[words.index("-m") + 1] if "-m" in words else words[0]
            found |= children(child)
    return found


def _field(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / _KB_A_MB
    raise ValueError(f"/proc/{pid}/smaps_rollup has no {name}")
