"""Why a TFLite runtime cannot be used here, in words that tell what to do."""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agent.backends._load_errors import one_line

if TYPE_CHECKING:
    from collections.abc import Collection

LITERT, TFLITE_RUNTIME = "ai-edge-litert", "tflite-runtime"

# The bounds of pyproject.toml, where their reasons stand.
INSTALL = {
    LITERT: "pip install 'ai-edge-litert>=2.1.6,<3'",
    TFLITE_RUNTIME: "pip install 'tflite-runtime>=2.13,<2.15' 'numpy<2' 'opencv-python-headless<4.12'",
}
_OLDER_NUMPY = "Run: pip install 'numpy<2' 'opencv-python-headless<4.12'"
_NEWEST_PYTHON = (3, 11)
"""The newest that tflite-runtime has wheels for."""
_WITHOUT_LITERT = "armv7l"
"""The machine that LiteRT has no wheels for."""

_GLIBC = re.compile(r"version `GLIBC_([\d.]+)' not found")
_LIBRARY = re.compile(r"([\w.+-]+\.so[\d.]*): cannot open shared object file")
_PACKAGES = {
    "libatomic.so.1": "libatomic1",
    "libgcc_s.so.1": "libgcc-s1",
    "libgomp.so.1": "libgomp1",
    "libstdc++.so.6": "libstdc++6",
}
"""Debian's packages of the libraries that a small image may lack."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one runtime cannot be used.

    Attributes:
        name: the runtime.
        problem: what is wrong, in a few words.
        hint: what mends it, an imperative sentence without its full stop.
    """

    name: str
    problem: str
    hint: str


def missing(wanted: str) -> Refusal:
    """Word that the runtime ``wanted`` is not installed, or that none is when it is no runtime's name."""
    here = TFLITE_RUNTIME if platform.machine() == _WITHOUT_LITERT else LITERT
    name = wanted if wanted in INSTALL else here
    gone = f"{name} is not installed" if wanted in INSTALL else "none is installed"
    if name == TFLITE_RUNTIME and sys.version_info[:2] > _NEWEST_PYTHON:
        problem = f"{gone}, and there is no tflite-runtime for Python {platform.python_version()}"
        return Refusal(name, problem, "Use Python 3.11")
    if name == LITERT != here:
        return Refusal(name, f"{gone}, and there is none for {_WITHOUT_LITERT}", f"Use {here}")
    return Refusal(name, gone, f"Run: {INSTALL[name]}")


def broken(name: str, version: str, error: Exception) -> Refusal:
    """Word why the runtime, which is installed, did not load its first model."""
    text, who = str(error), f"{name} {version}"
    if name == TFLITE_RUNTIME and _met_numpy_2(error):
        problem = f"{who} was built for numpy 1, and numpy {np.__version__} is installed"
        return Refusal(name, problem, _OLDER_NUMPY)
    if glibc := _GLIBC.search(text):
        problem = f"{who} needs glibc {glibc[1]}, and this system has {platform.libc_ver()[1]}"
        return Refusal(name, problem, "Use a newer release of the system")
    if library := _LIBRARY.search(text):
        package = _PACKAGES.get(library[1])
        hint = f"Run: apt-get install {package}" if package else "Install the system's package that has it"
        return Refusal(name, f"{who} needs {library[1]}, which is not installed", hint)
    problem = f"{who} does not work here: {one_line(text)}"
    if name == TFLITE_RUNTIME and sys.version_info[:2] > _NEWEST_PYTHON:
        return Refusal(name, problem, "Use Python 3.11, which is the newest that it is built for")
    return Refusal(name, problem, f"Run: {INSTALL[name]} --force-reinstall")


def _met_numpy_2(error: Exception) -> bool:
    """Tell a build for numpy 1: its import passes, as a rule, and its first Interpreter fails."""
    return int(np.__version__.partition(".")[0]) >= 2 and (
        isinstance(error, SystemError) or "numpy" in str(error)
    )


def way_out(refusal: Refusal, installed: Collection[str]) -> str:
    """Give the hint, with the other runtime where that is a way out, too."""
    other = LITERT if refusal.name == TFLITE_RUNTIME else TFLITE_RUNTIME
    if other in installed:
        return f"{refusal.hint}, or use {other}"
    if other == LITERT and platform.machine() != _WITHOUT_LITERT:
        return f"{refusal.hint}, or use {other}: {INSTALL[other]}"
    return refusal.hint
