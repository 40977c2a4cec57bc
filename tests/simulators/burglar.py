"""A source that tries, inside the real worker, all that a worker must not do, and says what it could.

``Burglar(folder)`` makes a distribution of it in ``folder`` and a Python that finds it there.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pydantic import BaseModel, ConfigDict

from agent.errors import SourceLost

if TYPE_CHECKING:
    from collections.abc import Callable


_PTRACE_ATTACH = 16
METADATA = "Metadata-Version: 2.1\nName: burglar\nVersion: 1\n"
ENTRY_POINTS = "[edge_agent.sources]\nburglar = burglar\n"
"""What makes the module a plugin, once it is installed."""


class Options(BaseModel):
    """Where there is something to be had."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loot: dict[str, str]
    """Files and folders by what they are."""
    control: str
    scratch: str
    """A file that is not there."""
    rude: bool = True
    """Whether to try what would leave nobody to tell where it works."""


def build(options: Options, *, start: int) -> NoReturn:
    """Try everything; what came of it is the reason why there is no source."""
    del start
    found = {name: _try(attempt) for name, attempt in _tries(options).items()}
    raise SourceLost("burgle", "the machine", json.dumps(found))


def _try(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return error.strerror or str(error)
    return "done"


def _tries(options: Options) -> dict[str, Callable[[], object]]:
    tries = {f"read the {what}": _reader(path) for what, path in options.loot.items()}
    boss, here = os.getppid(), Path(__file__).parent
    tries |= {
        "read the supervisor's memory": _reader(f"/proc/{boss}/mem"),
        "read the supervisor's environment": _reader(f"/proc/{boss}/environ"),
        "list the supervisor's descriptors": lambda: _names(f"/proc/{boss}/fd"),
        "copy the supervisor's memory": lambda: _libc("process_vm_readv", boss, 0, 0, 0, 0, 0),
        "signal the supervisor": lambda: os.kill(boss, 0),
        "signal the supervisor by its pidfd": lambda: signal.pidfd_send_signal(os.pidfd_open(boss), 0),
        "limit the supervisor": lambda: _libc("prlimit", boss, 7, 0, 0),
        "connect to the agent": lambda: _connect(options.control),
        "open a network socket": lambda: socket.socket(socket.AF_INET).close(),
        "write a file": lambda: Path(options.scratch).write_text(""),
        "write beside its module": lambda: (here / "more.py").write_text(""),
        "open its memory to others": lambda: _libc("prctl", 4, 1, 0, 0, 0),
        "outlive the supervisor": lambda: _libc("prctl", 1, 0, 0, 0, 0),
        "make a namespace": lambda: _libc("unshare", 0x00020000),
        "change the root": lambda: os.chroot("/"),
        "be nicer than others": lambda: os.setpriority(os.PRIO_PROCESS, boss, 0),
        "have a child": _fork,
        "start a program": lambda: subprocess.run(["/bin/true"], check=True),
    }
    if options.rude:
        tries["trace the supervisor"] = lambda: _libc("ptrace", _PTRACE_ATTACH, boss, 0, 0)
        tries["become a shell"] = lambda: os.execv("/bin/sh", ["sh", "-c", "exit 3"])  # noqa: S606 - an attempt
    return tries


def _reader(path: str) -> Callable[[], object]:
    return lambda: _names(path) if Path(path).is_dir() else _first_byte(path)


def _names(folder: str) -> None:
    for entry in list(Path(folder).iterdir()):
        if entry.is_symlink():
            entry.readlink()


def _first_byte(path: str) -> None:
    with Path(path).open("rb") as file:
        file.read(1)


def _libc(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*map(ctypes.c_ulong, arguments)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _connect(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(path)
        sock.sendall(b'{"op":"status"}\n')
        if not sock.recv(1):
            raise OSError(1, "it hung up")


def _fork() -> None:
    if not (child := os.fork()):
        os._exit(0)
    os.waitpid(child, 0)


class Burglar:
    """The distribution, installed for the workers of one agent.

    Args:
        folder: where it goes.
    """

    def __init__(self, folder: Path) -> None:
        info = folder / "burglar-1.dist-info"
        info.mkdir(parents=True)
        shutil.copy(__file__, folder / "burglar.py")
        (info / "METADATA").write_text(METADATA)
        (info / "entry_points.txt").write_text(ENTRY_POINTS)
        prelude = f"import sys, runpy; sys.path.insert(0, {str(folder)!r}); sys.argv[0] = 'worker'; "
        run = "runpy.run_module('agent.workers.main', run_name='__main__')"
        self._python = folder.parent / "python"
        # It is called as: python -I -m agent.workers.main ...
        self._python.write_text(f'#!/bin/sh\nshift 3\nexec "{sys.executable}" -I -c "{prelude}{run}" "$@"\n')
        self._python.chmod(0o755)

    @property
    def program(self) -> list[str]:
        """The agent's command."""
        code = f"import sys; sys.executable = {str(self._python)!r}; from agent.cli.main import main; main()"
        return [sys.executable, "-c", code]
