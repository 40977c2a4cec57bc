"""A model's variants for accelerators, looked at without the accelerator."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from agent.bundles.load import read_file
from agent.errors import ConfigInvalid, ModelInvalid
from agent.manifest import MAX_MODEL_BYTES
from agent.tflite import outline
from agent.tflite.flatbuffers import Broken

if TYPE_CHECKING:
    from collections.abc import Sequence

_OP = "take variant"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_EDGE_TPU = "edgetpu"


def parse(words: Sequence[str]) -> dict[str, Path]:
    """Read ``DELEGATE=FILE`` of the command line.

    Raises:
        ConfigInvalid: one is not of this form, or comes twice.
    """
    found: dict[str, Path] = {}
    for word in words:
        name, equals, file = word.partition("=")
        if not equals or not file or not _NAME.match(name) or name in found:
            hint = "Write --variant DELEGATE=FILE, each delegate once: --variant edgetpu=model_edgetpu.tflite"
            raise ConfigInvalid("read", f"--variant {word}", "it is no DELEGATE=FILE", hint)
        found[name] = Path(file)
    return found


def read(delegate: str, path: Path, twin: bytes) -> bytes:
    """Read a variant's file, which must take and give what its CPU twin does.

    Args:
        delegate: what it is for.
        path: the file.
        twin: the bytes of the model for any CPU.

    Raises:
        ModelInvalid: it cannot be read, is no model, is not for this delegate, or has other tensors.
    """
    data = read_file(path, MAX_MODEL_BYTES, ModelInvalid, _OP)
    try:
        outline.check_outline(data)
        operators, ours, theirs = outline.custom_operators(data), outline.borders(data), outline.borders(twin)
    except Broken as error:
        raise ModelInvalid(_OP, str(path), str(error), "Copy it again, or compile it again") from error
    if delegate == _EDGE_TPU and outline.EDGE_TPU_OPERATOR not in operators:
        hint = "Compile it with edgetpu_compiler, and give the file that ends in _edgetpu.tflite"
        raise ModelInvalid(_OP, str(path), "it is not compiled for the Edge TPU", hint)
    if ours != theirs:
        problem = f"its tensors {_worded(ours)} are not those of the model, {_worded(theirs)}"
        raise ModelInvalid(_OP, str(path), problem, "Compile it from this very model")
    return data


def _worded(borders: tuple[list[outline.Border], list[outline.Border]]) -> str:
    return " -> ".join(" ".join(str(list(shape)) for _, shape in side) for side in borders)
