"""Shared memory: sizes that cannot change, models that nobody can write to, tensors that lie apart."""

from __future__ import annotations

import math
import os
import resource
import tempfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.accelerator.memory import Area, sealed, unsealed
from agent.errors import MessageInvalid
from agent.types import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

SPECS = st.builds(
    TensorSpec,
    st.just("x"),
    st.sampled_from(["bool", "int8", "uint8", "int16", "float32", "int64", "float64"]),
    st.lists(st.integers(0, 9), max_size=4).map(tuple),
)


@pytest.fixture
def memory() -> Iterator[int]:
    fd = sealed(b"a model")
    yield fd
    os.close(fd)


@given(st.binary(max_size=100_000))
def test_a_model_comes_out_as_it_went_in(data: bytes) -> None:
    fd = sealed(data)
    try:
        assert unsealed(fd, len(data)) == data
    finally:
        os.close(fd)


def test_a_models_bytes_cannot_be_changed(memory: int) -> None:
    for change in (lambda: os.write(memory, b"x"), lambda: os.ftruncate(memory, 3)):
        with pytest.raises(PermissionError):
            change()


def test_a_model_that_is_too_large_is_refused(memory: int) -> None:
    with pytest.raises(MessageInvalid, match="7 bytes"):
        unsealed(memory, 6)


def test_memory_that_can_still_be_changed_is_refused() -> None:
    loose = os.memfd_create("loose", os.MFD_ALLOW_SEALING)
    try:
        os.write(loose, b"model")
        with pytest.raises(MessageInvalid, match="not sealed"):
            unsealed(loose, 100)
        with pytest.raises(MessageInvalid, match="not sealed"):
            Area(loose, [], [])
    finally:
        os.close(loose)


def test_a_file_is_no_shared_memory() -> None:
    with tempfile.TemporaryFile(dir=".") as file, pytest.raises(MessageInvalid, match=r"sealed"):
        unsealed(file.fileno(), 100)


@given(st.lists(SPECS, min_size=1, max_size=4), st.lists(SPECS, max_size=4))
def test_what_one_side_writes_the_other_reads_and_no_tensor_touches_another(
    inputs: list[TensorSpec], outputs: list[TensorSpec]
) -> None:
    ours = Area.create(inputs, outputs)
    theirs = Area(os.dup(ours.fd), inputs, outputs)
    for number, array in enumerate([*ours.inputs, *ours.outputs], start=1):
        array[...] = number
    for number, (array, spec) in enumerate(
        zip([*theirs.inputs, *theirs.outputs], [*inputs, *outputs], strict=True), start=1
    ):
        assert (array.shape, array.dtype) == (spec.shape, np.dtype(spec.dtype))
        assert array.size == math.prod(spec.shape)
        assert (array == np.asarray(number).astype(array.dtype)).all()
    ours.close()
    theirs.close()
    ours.close()


def test_memory_of_another_size_is_refused() -> None:
    one = Area.create([TensorSpec("x", "uint8", (1000,))], [])
    with pytest.raises(MessageInvalid, match="in place of"):
        Area(one.fd, [TensorSpec("x", "uint8", (2000,))], [])
    one.close()


def test_tensors_that_are_too_large_get_no_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(MessageInvalid, match="more than 256 MB"):
        Area.create([TensorSpec("x", "float32", (1 << 20, 1 << 20))], [])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
