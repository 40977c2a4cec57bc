"""What a model's maker has packed into the file: read where it is sound, and never a reason to fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st

from agent.fleet.packing import metadata
from tests.simulators import tiny_models

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"TFLITE_METADATA"


def described(content: bytes) -> bytes:
    """Give a model with this content where TFLite Metadata stands."""
    model = schema.ModelT.InitFromPackedBuf(tiny_models.absolute(), 0)
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


def whole(name: str, version: str, licence: str, means: list[float], stds: list[float]) -> bytes:
    builder = flatbuffers.Builder(256)
    texts = [builder.CreateString(text) for text in (name, version, licence)]
    normal = table(builder, {0: floats(builder, means), 1: floats(builder, stds)})
    unit = table(builder, {1: normal}, {0: 1})
    tensor = table(builder, {4: vector(builder, [unit])})
    graph = table(builder, {2: vector(builder, [tensor])})
    root = table(builder, {0: texts[0], 2: texts[1], 3: vector(builder, [graph]), 5: texts[2]})
    builder.Finish(root, file_identifier=b"M001")
    return bytes(builder.Output())


def test_names_licence_and_normalization_are_read() -> None:
    content = whole("My Model v2!", "2.1", "Apache License. Version 2.0 http://x", [127.5, 1.0], [2.0])
    assert metadata.read(described(content)) == {
        "name": "my-model-v2",
        "version": "2.1",
        "license": "Apache-2.0",
        "pre": {"mean": (127.5, 1.0), "std": (2.0,)},
    }


def test_a_model_without_metadata_says_nothing() -> None:
    assert metadata.read(tiny_models.absolute()) == {}


@given(st.binary(max_size=200))
def test_metadata_that_is_junk_says_nothing_that_does_not_read(junk: bytes) -> None:
    assert isinstance(metadata.read(described(junk)), dict)


@given(st.data())
def test_a_byte_that_is_changed_anywhere_ends_nobody(data: st.DataObject) -> None:
    content = bytearray(whole("m", "1", "MIT", [1.0], [1.0]))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(metadata.read(described(bytes(content))), dict)


@pytest.mark.shared
def test_what_real_models_say_is_read(shared: Path) -> None:
    model = shared / "models" / "mobilenet_v1_0.25_224_quant.tflite"
    assert metadata.read(model.read_bytes()) == {
        "name": "mobilenetv1-image-classifier-quantized",
        "version": "v1",
        "license": "Apache-2.0",
        "pre": {"mean": (127.5,), "std": (127.5,)},
    }
