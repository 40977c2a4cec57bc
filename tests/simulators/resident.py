"""How much memory processes have, as the kernel counts it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_KB_A_MB = 1024


def own_mb(pid: int) -> float:
    """Give what no file and nobody else has, MiB (proc(5)): this is the same whatever else runs.

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


def together_mb(pids: Iterable[int]) -> float:
    """Give the share of several processes, MiB, as if no other ran: what they share of a file counts once.

    Raises:
        OSError: one is gone.
    """
    own = 0
    files: Counter[tuple[str, str]] = Counter()
    for pid in pids:
        mapped: Counter[tuple[str, str]] = Counter()
        for mapping, resident, anonymous in _mappings(pid):
            own += anonymous
            mapped[mapping] += resident - anonymous
        files |= mapped  # the larger of each
    return (own + sum(files.values())) / _KB_A_MB


def _mappings(pid: int) -> Iterator[tuple[tuple[str, str], int, int]]:
    """Give file and offset of each mapping, and of its KiB how many are resident and the process's own."""
    mapping, resident = ("", ""), 0
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if not line[0].isupper():
            _, _, offset, _, _, *name = line.split(maxsplit=5)
            mapping = (name[0] if name else "", offset)
        elif line.startswith("Rss:"):
            resident = int(line.split()[1])
        elif line.startswith("Anonymous:"):
            yield mapping, resident, int(line.split()[1])


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
