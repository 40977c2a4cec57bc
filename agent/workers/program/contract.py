"""Whether a loaded model is what its manifest says, and what the pipeline takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from agent.errors import BundleRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.bundles.load import LoadedModel
    from agent.manifest import Tensor
    from agent.types import Backend, TensorSpec
    from agent.workers.spec import LaneSpec

_MOST_SHOWN = 60
_EXACT = 1e-6
"""Scales are 32-bit floats: written as text and read again they are this near."""


def check(spec: LaneSpec, model: LoadedModel, backend: Backend) -> None:
    """Compare the task with the pipeline's, and the tensors with those of the manifest.

    Raises:
        BundleRefused: by the rule "contract": something differs.
    """
    wanted = spec.task or spec.serving_task
    if wanted and model.manifest and model.task != wanted:
        problem = f"its task is {model.task}, the pipeline's is {wanted}"
        raise _refused(spec, problem, f"Deploy a model for {wanted}")
    if model.manifest is None or (io := model.manifest.io) is None:
        return
    for side, said, found in (("input", io.inputs, backend.inputs), ("output", io.outputs, backend.outputs)):
        if difference := differs(side, said, found):
            raise _refused(spec, difference, "Pack the bundle again, from this very model")


def differs(side: str, said: Sequence[Tensor], found: Sequence[TensorSpec]) -> str:
    """Say how a model's tensors differ from those of its manifest; "" when they agree."""
    if len(said) != len(found):
        return f"it has {len(found)} {side}s, its manifest says {len(said)}"
    for number, (one, other) in enumerate(zip(said, found, strict=True)):
        for what in ("name", "dtype", "shape"):
            if getattr(one, what) != getattr(other, what):
                is_, says = getattr(other, what), getattr(one, what)
                return f"{side} {number}: its {what} is {_shown(is_)}, its manifest says {_shown(says)}"
        if not _same_quantization(one, other):
            return f"{side} {number}: it is quantized otherwise than its manifest says"
    return ""


def _shown(value: str | tuple[int, ...]) -> str:
    """Give a name or a shape on one line: names come from outside."""
    return "".join(one if one.isprintable() else "?" for one in str(value)[:_MOST_SHOWN])


def _same_quantization(said: Tensor, found: TensorSpec) -> bool:
    if len(said.scale) != len(found.scale) or said.zero_point != found.zero_point:
        return False
    if len(said.scale) > 1 and said.axis != found.axis:
        return False
    pairs = zip(said.scale, found.scale, strict=True)
    return all(math.isclose(one, other, rel_tol=_EXACT) for one, other in pairs)


def _refused(spec: LaneSpec, problem: str, hint: str) -> BundleRefused:
    return BundleRefused("prove", spec.model, problem, hint, rule="contract")
