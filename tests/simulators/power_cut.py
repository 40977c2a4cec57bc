"""What a power cut leaves of a folder: a write trace, and the states that it allows.

The trace is taken below SQLite (write_trace.c). A state is made for a cut after any operation:

- What was written to a file since its last sync is there, gone, torn or garbage, by 512-byte sector, each on
  its own; likewise its size.
- Names that were made, removed or changed since their folder's last sync are as before or as after, each on
  its own. One exception, which ext4, xfs, btrfs and f2fs all grant: a sync of a file keeps its own new name.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

SOURCE = Path(__file__).with_name("write_trace.c")
SECTOR = 512
_HEAD = struct.Struct("<cIQQQ")


@dataclass(frozen=True, slots=True)
class Op:
    """One operation; ``kind`` as in write_trace.c, paths relative to the traced folder."""

    kind: str
    path: str
    inode: int
    where: int
    data: bytes


def compile_trace(folder: Path) -> Path:
    """Compile the tracer into ``folder``."""
    shim = folder / "write_trace.so"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["cc", *flags, "-o", str(shim), str(SOURCE), "-ldl", "-lpthread"], check=True)
    return shim


def traced(program: str, root: Path, shim: Path, *arguments: str) -> list[Op]:
    """Run a Python program on the folder ``root``; give what it did there."""
    log = root.with_name(f"{root.name}.trace")
    environment = {
        **os.environ,
        "LD_PRELOAD": str(shim),
        "WRITE_TRACE_ROOT": f"{root}/",
        "WRITE_TRACE_LOG": str(log),
    }
    command = [sys.executable, "-c", program, str(root), *arguments]
    subprocess.run(command, env=environment, check=True, timeout=110)
    return list(_read(log.read_bytes(), root))


def _read(log: bytes, root: Path) -> list[Op]:
    ops = []
    at = 0
    while at < len(log):
        kind, length, inode, where, size = _HEAD.unpack_from(log, at)
        at += _HEAD.size
        path = log[at : at + length].decode().removeprefix(str(root)).lstrip("/")
        data = log[at + length : at + length + size]
        at += length + size
        if kind == b"R":
            data = data.decode().removeprefix(f"{root}/").encode()
        ops.append(Op(kind.decode(), path, inode, where, data))
    return ops


@dataclass
class _File:
    """A file's durable bytes, and what was done to it since its last sync."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Op] = field(default_factory=list)
    made: int = -1


class Disk:
    """Plays a trace, operation by operation; gives states at any point."""

    def __init__(self) -> None:
        self._files: list[_File] = []
        self._by_inode: dict[int, int] = {}
        self._names: dict[str, int] = {}
        self._unsynced: list[Op] = []
        self._folders: set[str] = set()
        self._ids: dict[int, int] = {}
        self.marks: list[str] = []
        """What the program has said so far."""

    def play(self, op: Op) -> None:
        """Let one operation happen."""
        match op.kind:
            case "M":
                self.marks += op.data.decode().splitlines()
            case "D":
                self._folders.add(op.path.rstrip("/"))
            case "C":
                self._by_inode[op.inode] = len(self._files)
                self._ids[id(op)] = len(self._files)
                self._files.append(_File())
                self._unsynced.append(op)
            case "W" | "T":
                if op.inode in self._by_inode:
                    self._file(op).pending.append(op)
            case "U" | "R":
                self._unsynced.append(op)
            case "S":
                self._sync(op)

    def state(self, random: Random) -> dict[str, bytes]:
        """Give one state that a cut now could leave: files by their path."""
        names = dict(self._names)
        for op in self._unsynced:
            if random.random() < 0.5:
                self._apply(names, op)
        return {path: _torn(self._files[number], random) for path, number in names.items()}

    def _file(self, op: Op) -> _File:
        return self._files[self._by_inode[op.inode]]

    def _apply(self, names: dict[str, int], op: Op) -> None:
        if op.kind == "C":
            names[op.path] = self._ids[id(op)]
        elif op.kind == "U":
            names.pop(op.path, None)
        else:  # a file, or a folder with all that is in it
            after = op.data.decode()
            for name in [one for one in names if one == op.path or one.startswith(f"{op.path}/")]:
                names[after + name.removeprefix(op.path)] = names.pop(name)

    def _sync(self, op: Op) -> None:
        if op.inode in self._by_inode and op.path.rstrip("/") not in self._folders:  # inodes are used again
            file = self._file(op)
            for done in file.pending:
                _do(file.durable, done)
            file.pending.clear()
            self._keep_name(self._by_inode[op.inode])
        else:  # a folder
            inside = "" if not op.path else f"{op.path.rstrip('/')}/"
            self._settle(lambda one: one.path.startswith(inside) and "/" not in one.path[len(inside) :])

    def _keep_name(self, file: int) -> None:
        """Make a file's new name durable, and what happened to that name before."""
        made = next((one for one in self._unsynced if self._ids.get(id(one)) == file), None)
        if made is not None:
            before = self._unsynced[: self._unsynced.index(made) + 1]
            done = {id(one) for one in before if one.path == made.path}
            self._settle(lambda one: id(one) in done)

    def _settle(self, chosen: Callable[[Op], bool]) -> None:
        """Make the names' changes durable that are chosen, in their order."""
        left = []
        for op in self._unsynced:
            if chosen(op):
                self._apply(self._names, op)
            else:
                left.append(op)
        self._unsynced = left


def _do(content: bytearray, op: Op) -> None:
    if op.kind == "T":
        del content[op.where :]
        content.extend(bytes(op.where - len(content)))
        return
    end = op.where + len(op.data)
    content.extend(bytes(max(0, end - len(content))))
    content[op.where : end] = op.data


def _torn(file: _File, random: Random) -> bytes:
    """Apply what is pending in part: each sector of each write is there, gone, torn or garbage."""
    content = bytearray(file.durable)
    kept = random.random()
    for op in file.pending:
        if op.kind == "T":
            if random.random() < kept:
                _do(content, op)
            continue
        for at in range(0, len(op.data), SECTOR):
            piece = op.data[at : at + SECTOR]
            luck = random.random()
            if luck >= kept + 0.06:
                continue
            if luck >= kept + 0.03:
                piece = random.randbytes(len(piece))
            elif luck >= kept:
                piece = piece[: random.randrange(len(piece) + 1)]
            _do(content, Op("W", op.path, op.inode, op.where + at, piece))
    return bytes(content)


def build(folder: Path, state: dict[str, bytes], folders: Sequence[str]) -> None:
    """Put a state on disk."""
    for name in folders:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for path, content in state.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
