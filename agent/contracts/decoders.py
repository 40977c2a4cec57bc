"""The contract of decoders: pure, no NaN, quantization undone exactly once; the same cases each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from agent.contracts.checks import Breach, Check, Example
from agent.contracts.values import check_result
from agent.errors import AgentError, InputRejected, ModelInvalid
from agent.labels import Labels
from agent.tensors import dequantize, quantize
from agent.types import FrameInfo, Signature, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.contracts.checks import Subject
    from agent.types import Array, Decoder, Result

_FRAME = FrameInfo(seq=0, captured_ns=0, height=480, width=640)
_LABELS = (Labels(), Labels(tuple("abcdef")))
_TYPES: dict[str, tuple[float, int] | None] = {
    "float32": None,
    "uint8": (1 / 256, 0),
    "int8": (1 / 256, -128),
    "int16": (1 / 32768, 0),
}
"""Element types, with scale and zero point that hold [0, 1)."""
_COMMON: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((1, 1),),
    ((1, 6),),
    ((1, 3), (2, 2, 2), ()),
    ((1, 5, 4), (1, 5), (1, 5), (1,)),
    ((1, 4, 5, 6), (1, 4, 5, 4)),
    ((1, 1, 17, 3),),
    ((1, 8, 8, 4),),
    ((1, 10, 84),),
)
"""Shapes of outputs that many models have: tried on a decoder that names none of its own."""
_ROUNDS = 40


def _specs(shapes: Sequence[tuple[int, ...]], dtype: str, what: str) -> tuple[TensorSpec, ...]:
    scaled = _TYPES[dtype]
    given: dict[str, Any] = {"scale": (scaled[0],), "zero_point": (scaled[1],)} if scaled else {}
    return tuple(TensorSpec(f"{what}:{at}", dtype, shape, **given) for at, shape in enumerate(shapes))


def _fitting(subject: Subject) -> Iterator[tuple[Example, Labels]]:
    """Give the examples that the decoder takes, each with labels that it takes them with.

    Raises:
        Breach: it takes none.
    """
    named = [one for one in subject.examples() if one.outputs]
    plain = subject.examples()[0] if subject.examples() else Example()
    tried = named or [plain.model_copy(update={"outputs": shapes}) for shapes in _COMMON]
    found = False
    for example in tried:
        for labels in _LABELS:
            if _build(subject, example, labels, "float32") is not None:
                found = True
                yield example, labels
                break
        else:
            if named:
                raise Breach(f"it refuses the outputs {list(example.outputs)} of its EXAMPLES")
    if not found:
        hint = "EXAMPLES = [{'outputs': [[1, 10]]}] in its module names shapes that fit"
        raise Breach(f"it takes none of the common outputs: {hint}")


def _build(subject: Subject, example: Example, labels: Labels, dtype: str) -> Decoder | None:
    try:
        decoder: Decoder = subject.built(example, _signature(example, dtype), labels)
    except ModelInvalid:
        return None
    return decoder


def _signature(example: Example, dtype: str) -> Signature:
    if example.model is None:
        outputs, inputs = _specs(example.outputs, dtype, "out"), _specs(example.inputs, dtype, "in")
    else:
        outputs, inputs = (
            tuple(TensorSpec(f"{at}", kind, shape) for at, (kind, shape) in enumerate(tensors))
            for tensors in (example.model.outputs, example.model.inputs)
        )
    return Signature(inputs, outputs)


def _storable(subject: Subject) -> Iterator[tuple[Example, Labels, str]]:
    """Give the examples whose outputs come as the model stored them, with each type that they may have."""
    for example, labels in _fitting(subject):
        for dtype in ("uint8", "int8", "int16") if example.model is None else ():
            yield example, labels, dtype


def _made(subject: Subject, example: Example, labels: Labels, dtype: str = "float32") -> Decoder:
    decoder = _build(subject, example, labels, dtype)
    if decoder is None:
        raise Breach(f"it takes float32 outputs {list(example.outputs)}, and refuses them as {dtype}")
    return decoder


def _arrays(shapes: Sequence[tuple[int, ...]], rng: np.random.Generator) -> list[Array]:
    """Give float32 arrays in [0, 1), with room between the values, which nobody may write to."""
    made = []
    for shape in shapes:
        values = rng.permutation(np.linspace(0.05, 0.95, int(np.prod(shape, dtype=int))))
        array: Array = values.reshape(shape).astype(np.float32)
        array.flags.writeable = False
        made.append(array)
    return made


def _decoded(decoder: Decoder, outputs: Sequence[Array], inputs: Sequence[Array]) -> Result | None:
    """Decode; None for a frame that is refused."""
    try:
        result = decoder.decode(outputs, _FRAME, inputs)
    except InputRejected:
        return None
    except AgentError as error:
        raise Breach(f"decode raises {type(error).__name__}; only InputRejected fails a frame") from error
    check_result(result)
    return result


def _fits(subject: Subject) -> None:
    list(_fitting(subject))
    for outputs in ((), (TensorSpec("text", "bytes", (1, 2)),)):
        example = next(iter(subject.examples()))
        try:
            subject.built(example, Signature((), outputs), Labels())
        except ModelInvalid as error:
            if not error.hint:
                raise Breach("ModelInvalid of outputs that do not fit has no hint") from error
        else:
            raise Breach(f"build takes the outputs {[one.dtype for one in outputs]}: raise ModelInvalid")


def _pure(subject: Subject) -> None:
    rng = np.random.default_rng(3)
    for example, labels in _fitting(subject):
        decoder, other = (_made(subject, example, labels) for _ in range(2))
        for _ in range(_ROUNDS):
            outputs, inputs = _arrays(example.outputs, rng), _arrays(example.inputs, rng)
            first = _decoded(decoder, outputs, inputs)
            if not first == _decoded(decoder, outputs, inputs) == _decoded(other, outputs, inputs):
                raise Breach("the same outputs give another result the second time")


def _garbage(subject: Subject) -> None:
    rng = np.random.default_rng(4)
    odd = np.array([np.nan, np.inf, -np.inf, 3e38, -1.0, 0.0, 1.0], np.float32)
    for example, labels in _fitting(subject):
        decoder = _made(subject, example, labels)
        for round_ in range(_ROUNDS):
            outputs, inputs = (
                [
                    np.where(rng.random(one.shape) < round_ / _ROUNDS, rng.choice(odd, one.shape), one)
                    for one in them
                ]
                for them in (_arrays(example.outputs, rng), _arrays(example.inputs, rng))
            )
            _decoded(decoder, outputs, inputs)


def _integers(subject: Subject) -> None:
    rng = np.random.default_rng(5)
    for example, labels, dtype in _storable(subject):
        decoder = _made(subject, example, labels, dtype)
        limits = np.iinfo(dtype)
        for _ in range(_ROUNDS):
            outputs, inputs = (
                [
                    np.asarray(rng.integers(limits.min, limits.max, shape, dtype, endpoint=True))
                    for shape in shapes
                ]
                for shapes in (example.outputs, example.inputs)
            )
            _decoded(decoder, outputs, inputs)


def _quantized(subject: Subject) -> None:
    rng = np.random.default_rng(6)
    for example, labels, dtype in _storable(subject):
        stored, exact = [], []
        for shapes, what in ((example.outputs, "out"), (example.inputs, "in")):
            specs = _specs(shapes, dtype, what)
            raw = [quantize(one, spec) for one, spec in zip(_arrays(shapes, rng), specs, strict=True)]
            stored.append(raw)
            exact.append([dequantize(one, spec) for one, spec in zip(raw, specs, strict=True)])
        found = _decoded(_made(subject, example, labels, dtype), *stored)
        wanted = _decoded(_made(subject, example, labels), *exact)
        if _plain(found) != _plain(wanted):
            raise Breach(f"{dtype} outputs give another result than the numbers that they stand for")


def _plain(result: Result | None) -> list[dict[str, Any]] | None:
    """Give the items without what tells the type of the outputs."""
    return None if result is None else [{**item, "dtype": ""} for item in result.items]


CHECKS = (
    Check("fits", "build takes outputs that fit, and refuses others with ModelInvalid and a hint.", _fits),
    Check("pure", "The same outputs give the same result, and are not written to.", _pure),
    Check("garbage", "NaN, infinities and numbers out of range give no such result.", _garbage),
    Check("integers", "Any integers at all give JSON with scores and boxes within 0 and 1.", _integers),
    Check("quantized", "Quantized outputs give the result of the numbers that they stand for.", _quantized),
)
