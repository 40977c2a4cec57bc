"""Containers without a Docker engine: images by buildah, run by podman and crun."""

from __future__ import annotations

import os
import shutil


def missing() -> str:
    """Say why these tests cannot run here; "" when they can."""
    if os.geteuid() != 0:
        return "run as root: it builds a file system"
    programs = [name for name in ("buildah", "podman", "crun", "mmdebstrap") if shutil.which(name) is None]
    return f"apt-get install {' '.join(programs)}" if programs else ""
