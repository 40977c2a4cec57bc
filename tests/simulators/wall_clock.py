"""A wall clock that a test sets for a process; see ``wall_clock.c``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")


def compile_wall_clock(folder: Path) -> Path:
    """Compile the library; skips the test where there is no compiler."""
    if not shutil.which("cc"):
        pytest.skip("install a C compiler (Debian: apt-get install gcc libc6-dev)")
    path = folder / "wall_clock.so"
    flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Werror"]
    subprocess.run(["cc", *flags, "-o", str(path), str(SOURCE), "-ldl"], check=True)
    return path
