"""What a machine must have for these tests."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def missing(programs: Mapping[str, str]) -> str:
    """Say why they cannot run here; "" when they can.

    Args:
        programs: what is started, each with the package of Debian that brings it.
    """
    if os.geteuid() != 0:
        return "run as root: it builds a file system"
    packages = sorted({package for program, package in programs.items() if shutil.which(program) is None})
    return f"apt-get install {' '.join(packages)}" if packages else ""
