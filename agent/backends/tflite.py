"""TFLite models on the CPU, through LiteRT or tflite-runtime: two runtimes with one interface."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.backends import _load_errors
from agent.backends._delegated import count_delegated
from agent.backends._integers import computes_in_integers
from agent.backends._names import signature_names
from agent.backends._runtimes import choose
from agent.errors import BackendFault, InputRejected, ModelInvalid
from agent.tflite import outline
from agent.tflite.flatbuffers import Broken
from agent.types import Signature, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ai_edge_litert.interpreter import Interpreter, TensorDetails

    from agent.types import Array


class Options(BaseModel):
    """What runs the model, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    runtime: Literal["auto", "ai-edge-litert", "tflite-runtime"] = Field(
        default="auto", description="the distribution; auto: the best that is installed and works"
    )
    threads: int = Field(default=1, ge=1, le=16, description="CPU threads for one inference")
    xnnpack: bool = Field(default=True, description="use the XNNPACK kernels where the runtime has them")
    delegate: str = Field(
        default="auto",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$",
        description="auto: the first accelerator of the device profile that works; cpu, xnnpack: none; "
        "else the name of one, and no other",
    )

    @property
    def kernels(self) -> bool:
        """Whether the CPU computes with XNNPACK."""
        return self.xnnpack and self.delegate != "cpu"


def preload(options: Options) -> None:
    """Load the runtime, which every model needs: what comes after is a model's own cost.

    Raises:
        ExtraMissing: as ``build`` does.
    """
    choose(options.runtime)


def runtime(options: Options) -> str:
    """Give the name and version of the runtime that ``build`` takes.

    Raises:
        ExtraMissing: as ``build`` does.
    """
    return str(choose(options.runtime))


def loader(options: Options) -> Callable[[str, Mapping[str, str]], object]:
    """Give the runtime's own ``load_delegate``, for ``Delegate.open``.

    Raises:
        ExtraMissing: as ``build`` does.
    """
    load: Callable[[str, Mapping[str, str]], object] = choose(options.runtime).module.load_delegate
    return load


def build(
    options: Options, model: bytes, name: str = "model", delegate: object | None = None, title: str = ""
) -> TfliteBackend:
    """Load ``model``, the bytes of a .tflite file; ``name`` is what errors call it.

    Args:
        options: of the backend; whether they want an accelerator does not matter here.
        model: the file's bytes.
        name: what errors call the model.
        delegate: what ``Delegate.open`` gave, to run operators on; None for the CPU alone. What it leaves
            runs on the CPU without XNNPACK, so that each operator that is delegated is this delegate's.
        title: what the delegate is called in results.

    Raises:
        ModelInvalid: the runtime refuses the model, or lacks something that it needs.
        ExtraMissing: the runtime is not installed, or does not work here; see ``_runtimes.choose``.
    """
    runtime = choose(options.runtime)
    resolvers = runtime.module.OpResolverType
    try:
        outline.check_outline(model)  # tflite-runtime crashes on most of what does not even have one
        interpreter: Interpreter = runtime.module.Interpreter(
            model_content=model,
            num_threads=options.threads,
            experimental_op_resolver_type=(
                resolvers.BUILTIN
                if options.kernels and delegate is None
                else resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            ),
            experimental_delegates=None if delegate is None else [delegate],
        )
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError, MemoryError, Broken) as error:
        raise _load_errors.explain(error, name) from error
    return TfliteBackend(interpreter, name, str(runtime), "xnnpack" if delegate is None else title)


def signature(options: Options, model: bytes, name: str = "model") -> Signature:
    """Give the tensors of a model that cannot run here, as one that was compiled for an accelerator.

    Raises:
        ModelInvalid: the runtime cannot read it.
        ExtraMissing: as ``build`` does.
    """
    try:
        outline.check_outline(model)
        interpreter: Interpreter = choose(options.runtime).module.Interpreter(model_content=model)
    except (RuntimeError, ValueError, MemoryError, Broken) as error:
        raise _load_errors.explain(error, name) from error
    return _signature(interpreter, name)


class TfliteBackend:
    """A model in an interpreter of its own. One thread at a time may use it; ``build`` makes it.

    Attributes:
        inputs: the input tensors, in the model's order.
        outputs: the output tensors, in the model's order.
        runtime: the runtime's name and version.
        delegated: how many operators the delegate has taken, and how many the model has.
        delegate: "xnnpack" or the accelerator's name, or "cpu" when it has taken none.
    """

    def __init__(self, interpreter: Interpreter, name: str, runtime: str, delegate: str = "xnnpack") -> None:
        self._interpreter: Interpreter | None = interpreter
        self._name = name
        sources, sinks = interpreter.get_input_details(), interpreter.get_output_details()
        signature = _signature(interpreter, name)
        self.inputs, self.outputs = signature.inputs, signature.outputs
        self.runtime = runtime
        self.delegated = count_delegated(interpreter._get_ops_details())  # noqa: SLF001 - nothing public tells
        self.delegate = delegate if self.delegated[0] else "cpu"
        self._slots = [(details["index"], np.dtype(details["dtype"])) for details in sources]
        self._results = [details["index"] for details in sinks]

    @property
    def quantized(self) -> bool:
        """Whether the model computes in integers; see ``_integers``."""
        if self._interpreter is None:
            raise RuntimeError("the backend is closed")
        ops = self._interpreter._get_ops_details()  # noqa: SLF001 - nothing public tells
        return computes_in_integers(ops, self._interpreter.get_tensor_details())

    def infer(self, tensors: Sequence[Array]) -> tuple[Array, ...]:
        """Run the model once on arrays of exactly the shapes and types of ``inputs``.

        Returns:
            A copy of each output, still quantized.

        Raises:
            InputRejected: another number of arrays, another shape or type.
            BackendFault: the runtime failed.
        """
        if self._interpreter is None:
            raise RuntimeError("the backend is closed")
        self._check(tensors)
        try:
            for (slot, _), tensor in zip(self._slots, tensors, strict=True):
                self._interpreter.set_tensor(slot, tensor)
            self._interpreter.invoke()
            return tuple(self._interpreter.get_tensor(result) for result in self._results)
        except (RuntimeError, ValueError, MemoryError) as error:
            problem = _load_errors.one_line(str(error))
            raise BackendFault(
                "run model", self._name, problem, "Check the model, then its delegate"
            ) from error

    def close(self) -> None:
        """Free the model. Idempotent."""
        self._interpreter = None

    def _check(self, tensors: Sequence[Array]) -> None:
        if len(tensors) != len(self.inputs):
            raise InputRejected(
                "run model", self._name, f"it takes {len(self.inputs)} tensors, and got {len(tensors)}"
            )
        for spec, (_, dtype), tensor in zip(self.inputs, self._slots, tensors, strict=True):
            if tensor.shape != spec.shape or tensor.dtype != dtype:
                wanted = f"{spec.dtype} {list(spec.shape)}"
                problem = f"input {spec.name} is {wanted}, and got {tensor.dtype} {list(tensor.shape)}"
                raise InputRejected("run model", self._name, problem)


def _signature(interpreter: Interpreter, name: str) -> Signature:
    called_in, called_out = signature_names(interpreter)
    return Signature(
        tuple(_spec(one, name, called_in) for one in interpreter.get_input_details()),
        tuple(_spec(one, name, called_out) for one in interpreter.get_output_details()),
    )


def _spec(details: TensorDetails, name: str, called: Mapping[int, str]) -> TensorSpec:
    quantization = details["quantization_parameters"]
    scale = tuple(float(one) for one in quantization["scales"])
    zero_point = tuple(int(one) for one in quantization["zero_points"])
    shape, axis = tuple(int(size) for size in details["shape"]), int(quantization["quantized_dimension"])
    along = len(scale) < 2 or len(scale) == dict(enumerate(shape)).get(axis)
    if not along or len(zero_point) != len(scale) or not all(math.isfinite(one) and one > 0 for one in scale):
        raise ModelInvalid(
            "load model",
            name,
            f"tensor {details['name']} has unusable quantization parameters",
            "Convert the model again",
        )
    return TensorSpec(
        name=details["name"],
        dtype=np.dtype(details["dtype"]).name,
        shape=shape,
        scale=scale,
        zero_point=zero_point,
        axis=axis,
        called=called.get(details["index"], ""),
    )
