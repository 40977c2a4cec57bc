"""Finds a delegate's library, where the system's loader and vendors put theirs."""

from __future__ import annotations

import os
import platform
import re
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from agent.delegates import _elf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NUMBER = re.compile(r"\d+")
_MOST = 64
"""How many versions of one library are looked at."""


def find(names: Sequence[str], folders: Sequence[str] = (), root: Path = Path("/")) -> tuple[str, str]:
    """Find the first library of ``names`` that can be loaded here.

    Args:
        names: file names, best first; where there is one with a longer version only, such as `.so.29.1` for
            `.so`, the newest of them is taken. Or one absolute path, which is taken as it is.
        folders: further ones, of the vendor.
        root: where the system's folders begin.

    Returns:
        Its path, and "". Or "", and why there is none, in a few words.
    """
    if len(names) == 1 and names[0].startswith("/"):
        fault = _elf.check(names[0])
        return ("", f"{names[0]} {fault}") if fault else (names[0], "")
    first = ""
    for path in _candidates(names, [*_system(root), *(_below(root, one) for one in folders)]):
        fault = _elf.check(str(path))
        if not fault:
            return str(path), ""
        first = first or ("" if fault == "is not there" else f"{path} {fault}")
    return "", first or f"{' or '.join(names)} is not installed"


def _candidates(names: Sequence[str], folders: list[Path]) -> Iterator[Path]:
    for name in names:
        for folder in folders:
            yield folder / name
            yield from _versions(folder, name)


def _versions(folder: Path, name: str) -> list[Path]:
    longer = re.compile(re.escape(name) + r"(\.\d+)+")
    try:
        with os.scandir(folder) as entries:
            found = [one.name for one in entries if longer.fullmatch(one.name)]
    except OSError:  # not there, or closed to us: nothing can be loaded from it either
        return []
    newest = sorted(found, key=lambda one: [int(part) for part in _NUMBER.findall(one)], reverse=True)
    return [folder / one for one in newest[:_MOST]]


def _system(root: Path) -> list[Path]:
    """The folders of ld.so(8) on any distribution; an empty or relative one is left out."""
    chosen = [one for one in os.environ.get("LD_LIBRARY_PATH", "").split(":") if one.startswith("/")]
    triplet = sysconfig.get_config_var("MULTIARCH") or f"{platform.machine()}-linux-gnu"
    usual = [
        f"{base}{name}"
        for base in ("/usr/local/", "/usr/", "/")
        for name in (f"lib/{triplet}", "lib64", "lib")
    ]
    return [*(Path(one) for one in chosen), *(_below(root, one) for one in usual)]


def _below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")
