"""Whether two ways to run a model give the same outputs, where no golden answers say what is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.tensors import dequantize, is_quantized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array, TensorSpec

TOLERANCE = 0.02
"""How far an output may be off, as a share of the range that the reference's output has."""
_STEPS = 4
"""What a quantized output may always be off: kernels round otherwise, layer upon layer."""
_SEED = 20261126


def inputs(specs: Sequence[TensorSpec], count: int = 3) -> list[tuple[Array, ...]]:
    """Make ``count`` inputs that are the same in each process: noise over all that the type can hold.

    Real numbers lie between 0 and 1.
    """
    noise = np.random.default_rng(_SEED)
    return [tuple(_noise(spec, noise) for spec in specs) for _ in range(count)]


def differs(found: Sequence[Array], reference: Sequence[Array], specs: Sequence[TensorSpec]) -> str:
    """Say how the outputs of one run differ from the reference's; "" when they agree.

    Arrays are as the model gave them, one for each of ``specs``. They agree when no number is off by more
    than 2 % of the reference's range, or by four steps of its quantization. NaN equals NaN only.
    """
    for spec, one, other in zip(specs, found, reference, strict=True):
        if one.shape != other.shape:
            return f"output {spec.name} has the shape {list(one.shape)}, not {list(other.shape)}"
        real, wanted = dequantize(one, spec).astype(float), dequantize(other, spec).astype(float)
        if not np.array_equal(np.isfinite(real), np.isfinite(wanted)):
            return f"output {spec.name} is not finite where the default's is, or the other way round"
        sound = np.isfinite(wanted)
        if not sound.any():
            continue
        allowed = max(TOLERANCE * float(np.ptp(wanted[sound])), _step(spec))
        off = float(np.max(np.abs(real - wanted)[sound]))
        if off > allowed:
            return f"output {spec.name} is off by {off:.3g}, {allowed:.3g} is allowed"
    return ""


def _step(spec: TensorSpec) -> float:
    return _STEPS * max(spec.scale) if is_quantized(spec) else 1e-6


def _noise(spec: TensorSpec, noise: np.random.Generator) -> Array:
    dtype = np.dtype(spec.dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return noise.integers(info.min, info.max, spec.shape, dtype, endpoint=True)
    if dtype.kind == "b":
        return noise.integers(0, 2, spec.shape).astype(dtype)
    return noise.random(spec.shape).astype(dtype)
