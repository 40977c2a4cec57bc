"""Reads TFLite Metadata: what a model's maker has packed into the file about it.

https://ai.google.dev/edge/litert/conversion/tensorflow/metadata; it is a FlatBuffer (``M001``) in a buffer of
the model's own, laid out as metadata_schema.fbs of tflite-support says. No more than the first few of each
list are looked at. What is damaged is as good as not there: nothing depends on it that an operator cannot
write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.tflite import outline
from agent.tflite.flatbuffers import Broken, root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.manifest import Pre
    from agent.tflite.flatbuffers import Table
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
    except Broken:
        return Metadata()


def filled(pre: Pre, model: bytes, said: Metadata) -> Pre:
    """Give a ``pre`` with the normalisation that the model says, where ``pre`` says none.

    It is a picture's: of a model whose only input is one. Windows have their own.
    """
    if pre.of_windows or pre.inputs or pre.mean or pre.std or not said.mean:
        return pre
    try:
        [(_, shape)] = outline.borders(model)[0]
    except (Broken, ValueError):
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


def _metadata(model: bytes) -> Table | None:
    top = root(model)
    for one in top.tables(_MODEL_METADATA, _MOST_ITEMS):
        if one.raw(0) == _KEY:
            number = one.number(1)
            if number >= min(top.count(_MODEL_BUFFERS, 4), _MOST_BUFFERS):
                raise Broken("it has no such buffer")
            content = top.item(_MODEL_BUFFERS, number).raw(0)
            return root(bytes(content)) if len(content) <= _MOST_BYTES else None
    return None


def _said(table: Table) -> Metadata:
    name = re.sub(r"[^a-z0-9._-]+", "-", table.text(_NAME).lower()).strip("-._")[:64]
    found = Metadata(name=name, version=table.text(_VERSION), license=_license(table))
    for graph in table.tables(_SUBGRAPHS, _MOST_ITEMS):
        outputs = list(graph.tables(_OUTPUTS, _MOST_ITEMS))
        mean, std = _normalization(list(graph.tables(_INPUTS, _MOST_ITEMS))[:1])
        return replace(
            found,
            mean=mean,
            std=std,
            outputs=tuple(_name(one) for one in outputs),
            labels=next((name for one in outputs for name in _label_files(one)), ""),
            min_score=next((score for one in outputs for score in _thresholds(one)), None),
        )
    return found


def _name(tensor: Table) -> str:
    text = tensor.text(_NAME).lower()[:_MOST_TEXT]
    return _PLAIN.get(text, text)


def _license(table: Table) -> str:
    """Give the licence's name: makers pack its whole text, or a line that names it."""
    text = " ".join(table.text(_LICENSE).split())
    known = re.match(r"Apache License[.,]? Version 2\.0", text, re.IGNORECASE)
    return "Apache-2.0" if known else text[:_MOST_TEXT]


def _normalization(tensors: Sequence[Table]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    for options in (one for tensor in tensors for one in _options(tensor, _NORMALIZATION)):
        mean, std = options.floats(_MEAN, _MOST_ITEMS), options.floats(_STD, _MOST_ITEMS)
        if mean and std and min(std) > 0:
            return mean, std
    return (), ()


def _thresholds(tensor: Table) -> Iterator[float]:
    for options in _options(tensor, _THRESHOLD):
        if 0 < (score := options.real(0)) <= 1:
            yield score


def _options(tensor: Table, kind: int) -> Iterator[Table]:
    for unit in tensor.tables(_PROCESS_UNITS, _MOST_ITEMS):
        options = unit.table(_OPTIONS)
        if options is not None and unit.number(_OPTIONS_TYPE, "<B") == kind:
            yield options


def _label_files(tensor: Table) -> Iterator[str]:
    for file in tensor.tables(_FILES, _MOST_ITEMS):
        if file.number(_FILE_TYPE, "<B") in _LABELS and (name := file.text(_FILE_NAME)):
            yield name
