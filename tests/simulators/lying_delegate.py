"""An accelerator that tests have in place of hardware: it knows its answers by heart, and fails on demand.

``lying_delegate.c`` is its library, an external delegate of the TFLite runtimes. It is a stand-in: it shows
what the agent does with an accelerator, and nothing of what one computes or how fast it is.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import struct
import subprocess
import tempfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.backends import tflite
from tests import runtimes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.types import Array, TensorSpec

SOURCE = Path(__file__).with_suffix(".c")
EDGE_TPU, ANY = "edgetpu-custom-op", "*"
"""What it claims: the operator of models that are compiled for the Edge TPU, or every operator."""
_WIDTH = 32
"""The control file keeps its length: whoever reads it sees the mode before or the mode after."""


def compile_delegate(folder: Path) -> Path:
    """Compile the library; skips the test where there is no compiler."""
    if not shutil.which("cc"):
        pytest.skip("install a C compiler (Debian: apt-get install gcc libc6-dev)")
    path = folder / "liblying_delegate.so"
    flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["cc", *flags, "-o", str(path), str(SOURCE), "-ldl"], check=True)
    return path


@functools.cache
def library() -> Path:
    """Give the library, which is compiled once in a process of tests."""
    folder = Path(tempfile.mkdtemp(prefix="lying_delegate-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return compile_delegate(folder)


@dataclass(frozen=True)
class Table:
    """What a model gives for some inputs: outputs as the CPU computes them."""

    outputs: tuple[TensorSpec, ...]
    answers: dict[int, tuple[Array, ...]]

    @classmethod
    def of(cls, model: bytes, inputs: Iterable[Sequence[Array]]) -> Table:
        """Run ``model`` on the CPU: each of ``inputs`` is one array for each of its input tensors.

        A model that is compiled for an accelerator has its twin here, the file that a CPU runs.
        """
        twin = tflite.build(runtimes.options(tflite.Options), model)
        try:
            answers = {_key(tensors): twin.infer(tensors) for tensors in inputs}
            return cls(twin.outputs, answers)
        finally:
            twin.close()

    def write(self, path: Path) -> Path:
        """Write what the library reads; a library that has the model loaded already does not look again."""
        parts = [struct.pack("=2I", len(self.outputs), len(self.answers))]
        shapes = [one.shape for one in next(iter(self.answers.values()))]
        for spec, shape, size in zip(self.outputs, shapes, self._sizes(), strict=True):
            name = spec.name.encode() + b"\0"
            name += bytes(-len(name) % 4)
            parts += [struct.pack("=I", len(name) // 4), name]
            parts.append(struct.pack(f"=I{len(shape)}iI", len(shape), *shape, size))
        for key, arrays in self.answers.items():
            parts += [struct.pack("=Q", key), *(np.ascontiguousarray(one).tobytes() for one in arrays)]
        path.write_bytes(b"".join(parts))
        return path

    def _sizes(self) -> list[int]:
        return [one.nbytes for one in next(iter(self.answers.values()))]


@dataclass(frozen=True)
class LyingDelegate:
    """An accelerator that is plugged in: its library, and a folder with all that it reads and writes.

    Attributes:
        folder: holds `control`, `count` and the tables; whoever opens it must be able to read there.
        claims: the custom operator that it takes, or ``ANY``.
        tables: answers for the models that it runs; see ``learn``.
    """

    folder: Path
    claims: str = EDGE_TPU
    tables: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.count.touch()
        self.heal()

    @property
    def library(self) -> Path:
        """Its library, in its folder."""
        path = self.folder / "liblying_delegate.so"
        if not path.exists():
            shutil.copy(library(), path)
        return path

    @property
    def control(self) -> Path:
        """The file that says how it lies."""
        return self.folder / "control"

    @property
    def count(self) -> Path:
        """The file that it writes what is done with it to."""
        return self.folder / "count"

    def learn(self, model: bytes, inputs: Iterable[Sequence[Array]]) -> None:
        """Learn what ``model`` gives for ``inputs``, as the CPU computes it; before `entry` or `options`."""
        self.tables.append(Table.of(model, inputs).write(self.folder / f"table-{len(self.tables)}"))

    def set(self, mode: str, number: int = 0) -> None:
        """Have it lie from now on, as `slow` with its milliseconds; lying_delegate.c has the modes."""
        text = f"{mode} {number}\n".ljust(_WIDTH).encode()
        with self.control.open("r+b" if self.control.exists() else "wb", buffering=0) as control:
            control.write(text)

    def heal(self) -> None:
        """Have it work as it should."""
        self.set("ok")

    def counted(self, what: str = "invoke") -> int:
        """Count what was done with it: "open", "prepare", "invoke" or "close"."""
        return sum(line.startswith(f"{what} ") for line in self.count.read_text().splitlines())

    @property
    def processes(self) -> list[int]:
        """Who opened it, by process id, in order."""
        lines = self.count.read_text().splitlines()
        return [int(line.split()[1]) for line in lines if line.startswith("open ")]

    @property
    def options(self) -> dict[str, str]:
        """The library's own options."""
        return {
            "op": self.claims,
            "control": str(self.control),
            "count": str(self.count),
            "table": os.pathsep.join(map(str, self.tables)),
        }

    def entry(self, kind: str = "external", **more: Any) -> dict[str, Any]:
        """Give a profile's entry of it; ``kind`` "edgetpu" serves a bundle's variant for the Edge TPU.

        ``more`` are further keys of the entry, such as ``limits``; one named ``options`` adds to the options.
        """
        options = {
            "library": str(self.library),
            "options": self.options,
            "read": [str(self.folder)],
            "devices": [str(self.count)],
            **more.pop("options", {}),
        }
        if kind == "external" and self.claims == EDGE_TPU:
            options.setdefault("variant", "edgetpu")
        return {"kind": kind, "options": options, **more}


def _key(tensors: Sequence[Array]) -> int:
    return sum(zlib.crc32(np.ascontiguousarray(one).tobytes()) for one in tensors)
