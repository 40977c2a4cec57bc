"""Inputs whose right answers are known, to ask an accelerator or a setting: the bundle's, or the CPU's."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from agent.bundles import golden
from agent.errors import InputRejected
from agent.pipeline.filling import Filling
from agent.sources.pictures.picture import parse_picture
from agent.tensors import dequantize, is_quantized
from agent.types import Frame, FrameInfo, Signature
from agent.workers.program.decoding import decoder_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.bundles.golden import Case
    from agent.bundles.load import LoadedModel
    from agent.types import Array, Backend, Decoder, TensorSpec

_MOST, _MOST_BYTES = 8, 16 << 20
"""So many golden inputs are kept, as tensors, and not more bytes than that."""
_SHARE = 0.02
"""Of the range of an output's values: by so much accelerator and CPU may differ. Integer kernels round to the
next step or two, of which an 8-bit output has 256; what computes wrongly is off by far more."""
_STEPS = 2
_SWAY = 3
"""How many times the change that one step at each input makes; a model may be steep."""
_UNSTEADY = 0.1
"""An output that moves by this share of its range for one step at the inputs says nothing: sorted boxes."""


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """One golden answer of a bundle.

    Attributes:
        tensors: the input tensors.
        case: what the bundle says.
        info: of the input's picture.
        decoder: what the answers were recorded with.
    """

    tensors: tuple[Array, ...]
    case: Case
    info: FrameInfo
    decoder: Decoder

    def differs(self, outputs: Sequence[Array]) -> str:
        """Say how outputs differ from the golden answer; "" when they agree."""
        try:
            items = self.decoder.decode(outputs, self.info, self.tensors).items
        except InputRejected as error:
            return f"{self.case.path.name}: {error.problem}"
        difference = self.case.differs(items)
        return f"{self.case.path.name}: {difference}" if difference else ""


@dataclass(frozen=True, slots=True)
class TwinCase:
    """What the CPU makes of an input, for a model without golden answers.

    Attributes:
        tensors: the input tensors.
        wanted: each output's real numbers, as the CPU gave them.
        most: by how much each output's numbers may differ; infinite for one that says nothing.
        specs: of the outputs.
    """

    tensors: tuple[Array, ...]
    wanted: tuple[Array, ...]
    most: tuple[float, ...]
    specs: tuple[TensorSpec, ...]

    def differs(self, outputs: Sequence[Array]) -> str:
        """Say how outputs differ from the CPU's; "" when they agree."""
        for spec, found, wanted, most in zip(self.specs, outputs, self.wanted, self.most, strict=True):
            off = _distance(dequantize(found, spec), wanted)
            if off > most:
                return f"output {spec.name[:60]} is off by {off:.3g}, {most:.3g} may be"
        return ""


def golden_cases(model: LoadedModel, backend: Backend) -> list[GoldenCase]:
    """Prepare a bundle's golden inputs; none for a bare model.

    Args:
        model: the bundle's.
        backend: with the tensors of the model.

    Raises:
        ManifestInvalid: a golden file is not the one that was packed.
        InputRejected: it does not fit the model.
        ConfigInvalid: the manifest's decoder cannot be made.
    """
    if model.manifest is None or model.folder is None or not model.manifest.golden:
        return []
    decoder = decoder_of(model.task or "", model, backend)
    prepare = Filling(Signature(backend.inputs, backend.outputs), model.pre, model.name)
    found: list[GoldenCase] = []
    size = 0
    for case in golden.cases(model.folder, model.manifest):
        tensors = prepare.buffers()
        size += sum(one.nbytes for one in tensors)
        if len(found) >= _MOST or (found and size > _MOST_BYTES):
            break
        data = parse_picture(str(case.path), case.data)
        now_ns = time.monotonic_ns()
        prepare(Frame(len(found), now_ns, data, str(case.path)), tensors)
        height, width = (*data.shape, 1, 1)[:2]
        info = FrameInfo(len(found), now_ns, height, width, str(case.path))
        found.append(GoldenCase(tensors, replace(case, data=b""), info, decoder))
    return found


def twin_case(twin: Backend, number: int = 0) -> TwinCase | None:
    """Run the CPU on a fixed input, and on one that is a step beside it; None when no output can be judged.

    ``number`` says which one: each has its own input.

    An output may be off by 2 % of the range of its values, two of its steps, or three times what the step at
    the inputs has changed, whichever is most. One that changes by more than a tenth of its range is not
    judged.

    Raises:
        BackendFault: the runtime failed.
    """
    tensors = tuple(fixed_input(spec, number) for spec in twin.inputs)
    first = twin.infer(tensors)
    second = twin.infer([_beside(one) for one in tensors])
    wanted = tuple(dequantize(one, spec) for one, spec in zip(first, twin.outputs, strict=True))
    moved = [dequantize(one, spec) for one, spec in zip(second, twin.outputs, strict=True)]
    most = tuple(map(_allowed, wanted, moved, twin.outputs))
    return TwinCase(tensors, wanted, most, twin.outputs) if min(most) < np.inf else None


def fixed_input(spec: TensorSpec, number: int = 0) -> Array:
    """Give the same input each time: noise over the whole range of 8 and 16 bits, from 0 to 1 for others."""
    dtype = np.dtype(spec.dtype)
    noise = np.random.default_rng(6 + number).random(spec.shape)
    if dtype.kind in "iu" and dtype.itemsize <= 2:
        info = np.iinfo(dtype)
        return np.floor(info.min + noise * (float(info.max) - info.min + 1)).astype(dtype)
    return noise.astype(dtype)


def _beside(tensor: Array) -> Array:
    """Give the input with each number a step nearer to 0; wide integers are words, no amounts, and stay."""
    if tensor.dtype.kind == "f":
        nearer: Array = tensor * tensor.dtype.type(1 - 1 / 256)
        return nearer
    if tensor.dtype.itemsize > 2:
        return tensor
    moved: Array = (tensor.astype(np.int32) - np.sign(tensor.astype(np.int32))).astype(tensor.dtype)
    return moved


def _allowed(wanted: Array, moved: Array, spec: TensorSpec) -> float:
    if not wanted.size or not np.isfinite(wanted).all():
        return float("inf")
    spread = float(wanted.max() - wanted.min())
    change = _distance(moved, wanted)
    if change > max(_UNSTEADY * spread, 0.0) and change > 0:
        return float("inf")
    step = max(spec.scale) if is_quantized(spec) else float(np.abs(wanted).max()) * 1e-6
    return max(_SHARE * spread, _STEPS * step, _SWAY * change)


def _distance(found: Array, wanted: Array) -> float:
    if found.shape != wanted.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - wanted).max()) if found.size else 0.0
