"""What the service unit forbids, a worker does not need: seen with the kernel's own switch."""

from __future__ import annotations

import subprocess
import sys

import pytest

NOT_SUPPORTED = 3

# MemoryDenyWriteExecute, from within: no memory may become executable from here on.
PROGRAM = f"""
import ctypes, sys

PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
    sys.exit({NOT_SUPPORTED})

import mmap
import numpy as np
from agent import plugins, resources

try:
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
except PermissionError:
    print("denied")

tflite = plugins.load("backends", "tflite")
model = (resources.bundled_models()["glyphs"] / "glyphs.tflite").read_bytes()
backend = tflite.build(tflite.Options(threads=2), model)
[output] = backend.infer([np.zeros(spec.shape, spec.dtype) for spec in backend.inputs])
print(backend.delegate, output.shape)
backend.close()
"""


def test_inference_works_where_no_memory_may_become_executable() -> None:
    command = [sys.executable, "-I", "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == NOT_SUPPORTED:
        pytest.skip("needs Linux 6.3 or later, which has PR_SET_MDWE")
    assert done.returncode == 0, done.stderr
    denied, inferred = done.stdout.splitlines()
    assert denied == "denied"
    assert inferred.startswith("xnnpack")
