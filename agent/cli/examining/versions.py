"""Which versions are installed here, of all that matters."""

from __future__ import annotations

import platform
from importlib import metadata

from agent import __version__
from agent.store.forms import VERSION

_PACKAGES = ("ai-edge-litert", "tflite-runtime", "numpy", "opencv-python-headless", "paho-mqtt")


def versions() -> dict[str, str]:
    """Name and version of everything that matters, without importing it."""
    found = {"edge-agent": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        for distribution in metadata.distributions(name=package):
            found[package] = distribution.version
    found["data-folder"] = str(VERSION)
    found["machine"] = platform.machine()
    found["system"] = f"{platform.system()} {platform.release()}"
    return found
