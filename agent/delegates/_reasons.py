"""Why a delegate's library cannot be used, in words that tell what to do."""

from __future__ import annotations

import platform
import re

from agent.errors import DelegateLost

SYMBOLS = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")
"""What TFLite's interface for external delegates asks of a library
(tensorflow/lite/delegates/external/external_delegate_interface.h)."""

_MISSING = re.compile(r"([\w.+-]+\.so[\w.]*): cannot open shared object file: ([\w ]+)")
_GLIBC = re.compile(r"version `GLIBC_([\d.]+)' not found")
_VERSION = re.compile(r"version `(\w+)' not found")
_UNDEFINED = re.compile(r"undefined symbol: (\w+)")
_FAILED = re.compile(r"^Failed to load delegate from [^\n]*\n?")
_PACKAGES = {
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libudev.so.1": "libudev1",
    "libOpenCL.so.1": "ocl-icd-libopencl1",
    "libEGL.so.1": "libegl1",
    "libc++.so.1": "libc++1",
    "libatomic.so.1": "libatomic1",
}
"""Debian's packages of what vendors' libraries need, and small images lack."""
_MOST = 200


def lost(kind: str, problem: str, hint: str) -> DelegateLost:
    """Make the error."""
    return DelegateLost("open delegate", kind, problem, hint)


def not_loaded(kind: str, path: str, error: OSError) -> DelegateLost:
    """Word what the system's loader said of the library ``path``."""
    text = str(error)
    if missing := _MISSING.search(text):
        name, why = missing[1], missing[2].strip()
        if why == "Permission denied":
            problem = f"{path} needs {name}, which this process may not read"
            return lost(kind, problem, "Add the folder that it lies in to the delegate's option read")
        if not path.endswith(f"/{name}"):
            package = _PACKAGES.get(name)
            hint = f"Run: apt-get install {package}" if package else "Install the package that has it"
            return lost(kind, f"{path} needs {name}, which is not installed", hint)
    if glibc := _GLIBC.search(text):
        problem = f"{path} needs glibc {glibc[1]}, and this system has {platform.libc_ver()[1]}"
        return lost(kind, problem, "Install the build for this release of the system")
    if needed := _VERSION.search(text) or _UNDEFINED.search(text):
        problem = f"{path} needs {needed[1]}, which no library here has"
        return lost(kind, problem, "Install the build that belongs to the other libraries of the vendor")
    return lost(kind, f"{path} cannot be loaded: {one_line(text)}", "Install it again")


def no_delegate(kind: str, path: str, symbol: str) -> DelegateLost:
    """Word that the library is one, and no delegate."""
    problem = f"{path} is no external delegate of TFLite: it lacks {symbol}"
    return lost(kind, problem, "Give the vendor's library that is built as an external delegate")


def refused(kind: str, path: str, error: Exception, absent: str, silent: str) -> DelegateLost:
    """Word what the delegate itself said when it was made.

    Where it said nothing it is told what is wrong with the device, ``absent``, and the hint is ``silent``.
    """
    words = one_line(_FAILED.sub("", str(error)))
    if words:
        return lost(kind, f"{path} gives no delegate: {words}", "Check its options, and the device")
    problem = f"{path} gives no delegate: {absent}" if absent else f"{path} gives no delegate, and no reason"
    return lost(kind, problem, silent)


def one_line(text: str) -> str:
    """Give a library's words as one line that a terminal may be sent, cut where it grows long."""
    line = " ".join(text.split())
    return "".join(one if one.isprintable() else "?" for one in line)[:_MOST].rstrip(" .")
