"""Reads TFLite Metadata: what a model's maker has packed into the file about it.

https://ai.google.dev/edge/litert/conversion/tensorflow/metadata; it is a FlatBuffer (``M001``) in a buffer of
the model's own, laid out as metadata_schema.fbs of tflite-support says. Every offset is checked against its
end, and no more than the first few of each list are looked at. What is damaged is as good as not there:
nothing depends on it that an operator cannot write.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent import outline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.manifest import Pre
    from agent.types import TensorSpec

_MODEL_BUFFERS, _MODEL_METADATA = 4, 6
_KEY = b"TFLITE_METADATA"
_NAME, _VERSION, _SUBGRAPHS, _LICENSE = 0, 2, 3, 5
_INPUTS, _OUTPUTS = 2, 3
_PROCESS_UNITS, _FILES = 4, 6
_OPTIONS_TYPE, _OPTIONS = 0, 1
_NORMALIZATION, _THRESHOLD = 1, 3
_MEAN, _STD = 0, 1
_FILE_NAME, _FILE_TYPE = 0, 2
_LABELS = (2, 3)
"""Labels of an axis, and of a value."""
_MOST_TEXT, _MOST_ITEMS, _MOST_BUFFERS, _MOST_BYTES = 200, 64, 1 << 20, 4 << 20
_CHANNELS = (1, 3)
_PLAIN = {
    "location": "boxes",
    "locations": "boxes",
    "category": "classes",
    "categories": "classes",
    "score": "scores",
    "number of detections": "count",
}
"""What makers call the outputs of detectors, and what decoders call them."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is said of a model; what is not said, or does not read, is empty.

    Attributes:
        name: of the model, as a bundle may be called.
        version: of it.
        license: its name, or the first of its text.
        mean: with ``std``, how pictures are normalised, as a manifest's ``pre`` says it.
        std: as many as ``mean``, or one.
        outputs: what the outputs are called, in the model's order.
        labels: the packed file that names the classes.
        min_score: below it, results say nothing.
    """

    name: str = ""
    version: str = ""
    license: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    outputs: tuple[str, ...] = ()
    labels: str = ""
    min_score: float | None = None


def read(model: bytes) -> Metadata:
    """Read what a model says of itself."""
    try:
        table = _metadata(model)
        return _said(table) if table else Metadata()
    except (outline.Broken, struct.error, IndexError):
        return Metadata()


def filled(pre: Pre, model: bytes, said: Metadata) -> Pre:
    """Give a ``pre`` with the normalisation that the model says, where ``pre`` says none.

    It is a picture's: of a model whose only input is one. Windows have their own.
    """
    if pre.of_windows or pre.inputs or pre.mean or pre.std or not said.mean:
        return pre
    try:
        [(_, shape)] = outline.borders(model)[0]
    except (outline.Broken, ValueError):
        return pre
    if len(shape) != 4 or shape[3] not in _CHANNELS or not _fit(said.mean, said.std, shape[3]):
        return pre
    return pre.model_copy(update={"mean": said.mean, "std": said.std})


def named(outputs: Sequence[TensorSpec], said: Metadata) -> tuple[TensorSpec, ...]:
    """Give the outputs as the metadata calls them, where their model has no signature that does."""
    if len(said.outputs) != len(outputs) or any(one.called for one in outputs):
        return tuple(outputs)
    return tuple(replace(one, called=name) for one, name in zip(outputs, said.outputs, strict=True))


def _fit(mean: Sequence[float], std: Sequence[float], channels: int) -> bool:
    return all(len(one) in (1, channels) for one in (mean, std))


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

    def real(self, position: int) -> float:
        """Give a float32, 0 where it is left out."""
        at = self._place(position)
        return float(struct.unpack_from("<f", self.data, at)[0]) if at else 0.0

    def table(self, position: int) -> _Table | None:
        at = self._place(position)
        return _Table(self.data, self._follow(at)) if at else None

    def raw(self, position: int) -> memoryview:
        """Give the bytes of a string, or of a vector of bytes."""
        count = self.count(position, 1)
        if not count:
            return memoryview(b"")
        start = self._follow(self._place(position)) + 4
        return memoryview(self.data)[start : start + count]

    def text(self, position: int) -> str:
        """Give the beginning of a string."""
        return bytes(self.raw(position)[: 4 * _MOST_TEXT]).decode(errors="replace").strip()

    def count(self, position: int, size: int) -> int:
        """Give how many items of ``size`` bytes a vector has, all of them within the data."""
        if not (at := self._place(position)):
            return 0
        start = self._follow(at)
        found: int = struct.unpack_from("<I", self.data, start)[0]
        if start + 4 + size * found > len(self.data):
            raise outline.Broken("it is truncated")
        return found

    def item(self, position: int, index: int) -> _Table:
        """Give one table of a vector that is long enough."""
        start = self._follow(self._place(position))
        return _Table(self.data, self._follow(start + 4 + 4 * index))

    def tables(self, position: int) -> Iterator[_Table]:
        """Give the tables of a vector, the first of them where there are many."""
        for index in range(min(self.count(position, 4), _MOST_ITEMS)):
            yield self.item(position, index)

    def floats(self, position: int) -> tuple[float, ...]:
        """Give a vector of float32; nothing where there are too many, or one is not finite."""
        count = self.count(position, 4)
        if not 0 < count <= _MOST_ITEMS:
            return ()
        start = self._follow(self._place(position))
        found: tuple[float, ...] = struct.unpack_from(f"<{count}f", self.data, start + 4)
        return found if all(map(math.isfinite, found)) else ()


def _root(data: bytes) -> _Table:
    return _Table(data, int(struct.unpack_from("<I", data, 0)[0]))


def _metadata(model: bytes) -> _Table | None:
    root = _root(model)
    for one in root.tables(_MODEL_METADATA):
        if one.raw(0) == _KEY:
            number = one.number(1)
            if number >= min(root.count(_MODEL_BUFFERS, 4), _MOST_BUFFERS):
                raise outline.Broken("it has no such buffer")
            content = root.item(_MODEL_BUFFERS, number).raw(0)
            return _root(bytes(content)) if len(content) <= _MOST_BYTES else None
    return None


def _said(table: _Table) -> Metadata:
    name = re.sub(r"[^a-z0-9._-]+", "-", table.text(_NAME).lower()).strip("-._")[:64]
    found = Metadata(name=name, version=table.text(_VERSION), license=_license(table))
    for graph in table.tables(_SUBGRAPHS):
        outputs = list(graph.tables(_OUTPUTS))
        mean, std = _normalization(list(graph.tables(_INPUTS))[:1])
        return replace(
            found,
            mean=mean,
            std=std,
            outputs=tuple(_name(one) for one in outputs),
            labels=next((name for one in outputs for name in _label_files(one)), ""),
            min_score=next((score for one in outputs for score in _thresholds(one)), None),
        )
    return found


def _name(tensor: _Table) -> str:
    text = tensor.text(_NAME).lower()[:_MOST_TEXT]
    return _PLAIN.get(text, text)


def _license(table: _Table) -> str:
    """Give the licence's name: makers pack its whole text, or a line that names it."""
    text = " ".join(table.text(_LICENSE).split())
    known = re.match(r"Apache License[.,]? Version 2\.0", text, re.IGNORECASE)
    return "Apache-2.0" if known else text[:_MOST_TEXT]


def _normalization(tensors: Sequence[_Table]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    for options in (one for tensor in tensors for one in _options(tensor, _NORMALIZATION)):
        mean, std = options.floats(_MEAN), options.floats(_STD)
        if mean and std and min(std) > 0:
            return mean, std
    return (), ()


def _thresholds(tensor: _Table) -> Iterator[float]:
    for options in _options(tensor, _THRESHOLD):
        if 0 < (score := options.real(0)) <= 1:
            yield score


def _options(tensor: _Table, kind: int) -> Iterator[_Table]:
    for unit in tensor.tables(_PROCESS_UNITS):
        options = unit.table(_OPTIONS)
        if options is not None and unit.number(_OPTIONS_TYPE, "<B") == kind:
            yield options


def _label_files(tensor: _Table) -> Iterator[str]:
    for file in tensor.tables(_FILES):
        if file.number(_FILE_TYPE, "<B") in _LABELS and (name := file.text(_FILE_NAME)):
            yield name
