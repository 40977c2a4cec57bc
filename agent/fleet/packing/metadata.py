"""Reads TFLite Metadata: what a model's maker has packed into the file about it.

https://ai.google.dev/edge/litert/conversion/tensorflow/metadata; it is a FlatBuffer (``M001``) in a buffer of
the model's own. Every offset is checked against its end. What is damaged is as good as not there: nothing
depends on it that an operator cannot write.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Any

from agent import outline

_MODEL_BUFFERS, _MODEL_METADATA = 4, 6
_KEY = b"TFLITE_METADATA"
_NAME, _VERSION, _SUBGRAPHS, _LICENSE = 0, 2, 3, 5
_INPUTS, _PROCESS_UNITS = 2, 4
_OPTIONS_TYPE, _OPTIONS, _NORMALIZATION = 0, 1, 1
_MEAN, _STD = 0, 1
_MOST = 200


def read(model: bytes) -> dict[str, Any]:
    """Give what is said of ``name``, ``version``, ``license`` and ``pre``, as a recipe would say it.

    What is not said, or does not read, is left out.
    """
    try:
        table = _metadata(model)
        return _said(table) if table else {}
    except (outline.Broken, struct.error, IndexError):
        return {}


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a FlatBuffer: where it begins in ``data``."""

    data: bytes
    at: int

    def _place(self, position: int) -> int:
        """Give where a field stands, 0 where it is left out."""
        vtable = self.at - struct.unpack_from("<i", self.data, self.at)[0]
        if vtable < 0:
            raise outline.Broken("it is damaged")
        length: int = struct.unpack_from("<H", self.data, vtable)[0]
        slot = 4 + 2 * position
        inside: int = struct.unpack_from("<H", self.data, vtable + slot)[0] if slot + 2 <= length else 0
        return self.at + inside if inside else 0

    def _follow(self, at: int) -> int:
        target: int = at + struct.unpack_from("<I", self.data, at)[0]
        return target

    def number(self, position: int, form: str = "<I") -> int:
        """Give a number, 0 where it is left out."""
        at = self._place(position)
        return int(struct.unpack_from(form, self.data, at)[0]) if at else 0

    def table(self, position: int) -> _Table | None:
        at = self._place(position)
        return _Table(self.data, self._follow(at)) if at else None

    def raw(self, position: int, size: int = 1) -> bytes:
        """Give a string's bytes, or those of a vector whose items have ``size``."""
        if not (at := self._place(position)):
            return b""
        start = self._follow(at)
        end = start + 4 + size * struct.unpack_from("<I", self.data, start)[0]
        if end > len(self.data):
            raise outline.Broken("it is truncated")
        return self.data[start + 4 : end]

    def tables(self, position: int) -> list[_Table]:
        if not (at := self._place(position)):
            return []
        start = self._follow(at)
        count = len(self.raw(position, 4)) // 4
        return [_Table(self.data, self._follow(start + 4 + 4 * index)) for index in range(count)]

    def floats(self, position: int) -> tuple[float, ...]:
        raw = self.raw(position, 4)
        return struct.unpack(f"<{len(raw) // 4}f", raw)


def _root(data: bytes) -> _Table:
    return _Table(data, int(struct.unpack_from("<I", data, 0)[0]))


def _metadata(model: bytes) -> _Table | None:
    root = _root(model)
    for one in root.tables(_MODEL_METADATA):
        if one.raw(0) == _KEY:
            content = root.tables(_MODEL_BUFFERS)[one.number(1)].raw(0)
            return _root(content)
    return None


def _said(table: _Table) -> dict[str, Any]:
    name = re.sub(r"[^a-z0-9._-]+", "-", _text(table, _NAME).lower()).strip("-._")[:64]
    found: dict[str, Any] = {"name": name, "version": _text(table, _VERSION), "license": _license(table)}
    for graph in table.tables(_SUBGRAPHS)[:1]:
        for tensor in graph.tables(_INPUTS)[:1]:
            found["pre"] = _normalization(tensor)
    return {key: value for key, value in found.items() if value}


def _text(table: _Table, position: int) -> str:
    return table.raw(position).decode(errors="replace").strip()


def _license(table: _Table) -> str:
    """Give the licence's name: makers pack its whole text, or a line that names it."""
    text = " ".join(_text(table, _LICENSE).split())
    return (
        "Apache-2.0" if re.match(r"Apache License[.,]? Version 2\.0", text, re.IGNORECASE) else text[:_MOST]
    )


def _normalization(tensor: _Table) -> dict[str, Any] | None:
    for unit in tensor.tables(_PROCESS_UNITS):
        options = unit.table(_OPTIONS)
        if options is not None and unit.number(_OPTIONS_TYPE, "<B") == _NORMALIZATION:
            return {"mean": options.floats(_MEAN), "std": options.floats(_STD)}
    return None
