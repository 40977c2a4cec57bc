"""A virtual environment like the one that the tests run in, but for some packages."""

from __future__ import annotations

import sysconfig
import venv
from pathlib import Path


def without(folder: Path, *packages: str, over: Path | None = None) -> Path:
    """Make an environment in ``folder``; nothing is installed or copied, so it takes no time.

    Args:
        folder: where to.
        packages: that it does not have; what lies in site-packages under a name that begins so is left out.
        over: a folder of packages that take the place of those of the same name.

    Returns:
        Its Python.
    """
    venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
    [site] = folder.glob("lib/python*/site-packages")
    for source in [over] if over else []:
        for entry in source.iterdir():
            (site / entry.name).symlink_to(entry.resolve())
    replaced = {_distribution(entry.name) for entry in site.iterdir()}
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(packages) and _distribution(entry.name) not in replaced:
            (site / entry.name).symlink_to(entry)
    return folder / "bin" / "python"


def _distribution(name: str) -> str:
    """Give what a folder's name says of its distribution: numpy.libs is numpy's."""
    return name.partition("-")[0].partition(".")[0]
