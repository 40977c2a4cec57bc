"""A simulator's module as an installed distribution, for the programs that a test starts."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def install(folder: Path, module: str, metadata: str, entry_points: str, prelude: str = "") -> str:
    """Install a module for the programs that are started with the Python whose path is given.

    Args:
        folder: to be made.
        module: the path of the module's file.
        metadata: of the distribution.
        entry_points: of the distribution.
        prelude: Python that each program runs first, on one line.
    """
    path = Path(module)
    info = folder / f"{path.stem}-1.dist-info"
    info.mkdir(parents=True)
    shutil.copy(path, folder / path.name)
    (info / "METADATA").write_text(metadata)
    (info / "entry_points.txt").write_text(entry_points)
    prelude = f"import sys, runpy; sys.path.insert(0, {str(folder)!r}); sys.argv[0] = 'program'; {prelude}"
    run = "runpy.run_module('$module', run_name='__main__')"
    python = folder / "python"
    # It is called as: python -I -m agent.workers.main ...
    python.write_text(
        f'#!/bin/sh\nmodule="$3"\nshift 3\nexec "{sys.executable}" -I -c "{prelude}{run}" "$@"\n'
    )
    python.chmod(0o755)
    return str(python)
