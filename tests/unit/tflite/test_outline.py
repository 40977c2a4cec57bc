"""What a .tflite file's outline says, and that a file which is not sound ends nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import resources
from agent.tflite import outline
from agent.tflite.flatbuffers import Broken
from tests.simulators import tiny_models

SHAPES = (resources.bundled_models()["shapes"] / "shapes.tflite").read_bytes()


def test_the_inputs_and_outputs_are_read() -> None:
    inputs, outputs = outline.borders(SHAPES)
    assert [shape for _, shape in inputs] == [(1, 96, 128, 3)]
    assert [shape for _, shape in outputs] == [(1, 24, 32, 5), (1, 24, 32, 4)]
    [(kind, _)], _ = outline.borders(tiny_models.echo("uint8", (1, 2)))
    assert kind == tiny_models.TYPES["uint8"]


def test_operators_that_are_not_tflites_own_are_named() -> None:
    compiled = tiny_models.custom("edgetpu-custom-op")
    assert outline.custom_operators(compiled) == ["edgetpu-custom-op"]
    assert outline.is_for_edge_tpu(compiled)
    assert not outline.is_for_edge_tpu(tiny_models.custom("another"))
    assert not outline.is_for_edge_tpu(compiled[:40])
    assert outline.custom_operators(SHAPES) == []


@given(st.data())
def test_a_file_that_is_changed_or_cut_anywhere_is_read_or_broken(data: st.DataObject) -> None:
    content = bytearray(tiny_models.custom("x"))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(8, len(content)))])
    for look in (outline.borders, outline.custom_operators):
        try:
            assert look(cut) is not None
        except Broken as broken:
            told = str(broken)
            assert told.startswith("it is ")


def test_a_file_that_ends_early_is_broken() -> None:
    for look in (outline.borders, outline.custom_operators):
        with pytest.raises(Broken):
            look(SHAPES[:40])
