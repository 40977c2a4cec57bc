"""What every backend must keep to: real models, real inference.

One that runs in an accelerator process keeps to it, too: the CPU plays the accelerator there.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from agent import plugins
from agent.accelerator.remote import RemoteBackend
from agent.accelerator.twin import AcceleratedBackend
from agent.accelerator.use import Use
from agent.backends import tflite
from agent.boards.accelerators import Limits
from agent.errors import InputRejected, ModelInvalid
from tests import runtimes
from tests.simulators import tiny_models
from tests.simulators.accelerator_desk import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.accelerator.client import Connection
    from agent.types import Backend

SHAPE = (1, 2, 3, 4)


class Elsewhere:
    """A backend in an accelerator process, with its twin in this one."""

    Options: Any = tflite.Options

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.connections: list[Connection] = []

    def build(self, options: tflite.Options, model: bytes, name: str) -> Backend:
        twin = tflite.build(options, model, name)
        connection = self.desk.connection()
        self.connections.append(connection)
        connection.hello(10)
        use = Use(RemoteBackend(connection, model, name, Limits()), "cpu", generation=1)
        backend = AcceleratedBackend(twin, use=use)
        backend.tend(idle=True, settled_ns=1)
        assert backend.delegate == "cpu"
        return backend


Module = ModuleType | Elsewhere


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with Desk({"kind": "cpu"}) as one:
        one.opened()
        yield one


@pytest.fixture(params=[*plugins.names("backends"), "elsewhere"])
def module(request: pytest.FixtureRequest, desk: Desk) -> Iterator[Module]:
    if request.param != "elsewhere":
        yield plugins.load("backends", request.param)
        return
    one = Elsewhere(desk)
    yield one
    for connection in one.connections:
        connection.close()


@pytest.fixture(params=["float32", "uint8", "int8", "int16"])
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def build(module: Module, model: bytes) -> Backend:
    backend: Backend = module.build(runtimes.options(module.Options), model, "tiny")
    return backend


def values(dtype: str, start: int = 0) -> Any:
    return np.arange(start, start + 24).astype(dtype).reshape(SHAPE)


def test_options_have_defaults_and_refuse_what_they_do_not_know(module: Module) -> None:
    options = module.Options()
    with pytest.raises(ValidationError):
        module.Options(no_such_option=1)
    with pytest.raises(ValidationError):
        options.__setattr__(next(iter(type(options).model_fields)), 1)


def test_specs_state_type_shape_and_quantization(module: Module, dtype: str) -> None:
    backend = build(module, tiny_models.echo(dtype, SHAPE))
    scale, zero_point = tiny_models.PARAMETERS[dtype]
    for spec, shape in ((backend.inputs[0], SHAPE), (backend.outputs[0], (1, 24))):
        assert (spec.dtype, spec.shape) == (dtype, shape)
        assert spec.scale == pytest.approx((scale,) if scale else ())
        assert spec.zero_point == ((zero_point,) if scale else ())


def test_values_of_every_type_go_in_and_come_out(module: Module, dtype: str) -> None:
    out = build(module, tiny_models.echo(dtype, SHAPE)).infer([values(dtype)])
    assert len(out) == 1
    assert out[0].dtype == np.dtype(dtype)
    assert np.array_equal(out[0].reshape(SHAPE), values(dtype))


def test_what_comes_back_is_the_callers_own(module: Module) -> None:
    backend = build(module, tiny_models.echo("uint8", SHAPE))
    first = backend.infer([values("uint8")])[0]
    kept = first.copy()
    second = backend.infer([values("uint8", 100)])[0]
    assert np.array_equal(first, kept)
    second[:] = 0  # writable, and writing spoils nothing
    assert np.array_equal(backend.infer([values("uint8")])[0], kept)


def test_what_goes_in_stays_the_callers_own(module: Module) -> None:
    given = values("uint8")
    given.flags.writeable = False
    build(module, tiny_models.echo("uint8", SHAPE)).infer([given])
    assert np.array_equal(given, values("uint8"))


def test_an_array_that_is_not_contiguous_is_read_right(module: Module) -> None:
    backend = build(module, tiny_models.echo("uint8", SHAPE))
    given = values("uint8")[:, ::-1]
    assert np.array_equal(backend.infer([given])[0].reshape(SHAPE), given)


@pytest.mark.parametrize(
    "tensors",
    [
        [],
        [np.zeros(SHAPE, np.uint8)] * 2,
        [np.zeros(SHAPE, np.int8)],
        [np.zeros(SHAPE, np.float64)],
        [np.zeros((1, 2, 3, 5), np.uint8)],
        [np.zeros((2, 3, 4), np.uint8)],
    ],
)
def test_tensors_that_do_not_fit_are_rejected_and_harm_nothing(module: Module, tensors: Any) -> None:
    backend = build(module, tiny_models.echo("uint8", SHAPE))
    with pytest.raises(InputRejected):
        backend.infer(tensors)
    assert np.array_equal(backend.infer([values("uint8")])[0].reshape(SHAPE), values("uint8"))


@pytest.mark.parametrize("model", [b"", b"garbage" * 50, tiny_models.absolute()[:150]])
def test_what_is_no_model_is_refused_in_one_line(module: Module, model: bytes) -> None:
    with pytest.raises(ModelInvalid) as caught:
        build(module, model)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("length", range(0, 600, 50))
def test_a_model_that_is_cut_short_anywhere_is_refused(module: Module, length: int) -> None:
    whole = tiny_models.echo("int8", SHAPE)
    with pytest.raises(ModelInvalid):
        build(module, whole[: min(length, len(whole) - 1)])


def test_a_backend_names_its_runtime_and_its_delegate_and_closes_twice(
    module: Module,
) -> None:
    backend = build(module, tiny_models.absolute())
    assert backend.runtime
    assert backend.delegate
    backend.close()
    backend.close()
    with pytest.raises(RuntimeError, match="closed"):
        backend.infer([np.zeros(1, np.float32)])


def test_models_can_be_loaded_side_by_side(module: Module) -> None:
    one, two = (build(module, tiny_models.echo(dtype, SHAPE)) for dtype in ("uint8", "int8"))
    one.infer([values("uint8")])
    two.infer([values("int8", 50)])
    one.close()
    assert np.array_equal(two.infer([values("int8")])[0].reshape(SHAPE), values("int8"))
