"""Models with TFLite Metadata in them, made with Google's own packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from tests.simulators import tiny_models

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = b"TFLITE_METADATA"


def described(content: bytes, plain: bytes = b"") -> bytes:
    """Give a model with this content where TFLite Metadata stands."""
    model = schema.ModelT.InitFromPackedBuf(plain or tiny_models.absolute(), 0)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(content)
    entry.name, entry.buffer = KEY, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [entry]
    builder = flatbuffers.Builder(64)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def table(builder: flatbuffers.Builder, fields: dict[int, int], numbers: dict[int, int] | None = None) -> int:
    """Write a table of references, and of bytes."""
    builder.StartObject(8)
    for position, offset in fields.items():
        builder.PrependUOffsetTRelativeSlot(position, offset, 0)
    for position, number in (numbers or {}).items():
        builder.PrependUint8Slot(position, number, 0)
    end: int = builder.EndObject()
    return end


def vector(builder: flatbuffers.Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    end: int = builder.EndVector()
    return end


def floats(builder: flatbuffers.Builder, values: list[float]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    end: int = builder.EndVector()
    return end


def tensor(
    builder: flatbuffers.Builder,
    name: str,
    *,
    normal: tuple[list[float], list[float]] | None = None,
    least: float | None = None,
    files: dict[str, int] | None = None,
) -> int:
    """Write what is said of a tensor: options 1 are a normalisation, 3 a threshold; files are of a type."""
    units = []
    if normal is not None:
        both = {0: floats(builder, normal[0]), 1: floats(builder, normal[1])}
        units.append(table(builder, {1: table(builder, both)}, {0: 1}))
    if least is not None:
        builder.StartObject(1)
        builder.PrependFloat32Slot(0, least, -1.0)
        units.append(table(builder, {1: builder.EndObject()}, {0: 3}))
    packed = [
        table(builder, {0: builder.CreateString(one)}, {2: kind}) for one, kind in (files or {}).items()
    ]
    text = builder.CreateString(name)
    return table(builder, {0: text, 4: vector(builder, units), 6: vector(builder, packed)})


def whole(
    means: Sequence[float] = (127.5,),
    stds: Sequence[float] = (2.0,),
    least: float = 0.25,
    name: str = "My Model v2!",
) -> bytes:
    builder = flatbuffers.Builder(256)
    licence = "Apache License. Version 2.0 http://x"
    texts = [builder.CreateString(text) for text in (name, "2.1", licence)]
    taken = tensor(builder, "image", normal=(list(means), list(stds)))
    files = {"about.txt": 1, "names.txt": 2}
    given_ = [tensor(builder, "Location", files={}), tensor(builder, "faces\n", least=least, files=files)]
    graph = table(builder, {2: vector(builder, [taken]), 3: vector(builder, given_)})
    root = table(builder, {0: texts[0], 2: texts[1], 3: vector(builder, [graph]), 5: texts[2]})
    builder.Finish(root, file_identifier=b"M001")
    return bytes(builder.Output())
