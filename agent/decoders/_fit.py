"""What decoders share: how they refuse outputs that are not theirs, and frames whose outputs say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.errors import InputRejected, ModelInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.labels import Labels
    from agent.types import TensorSpec

_MOST_SHOWN = 6


def misfit(task: str, wanted: str, outputs: Sequence[TensorSpec]) -> ModelInvalid:
    """Give the error for a model whose outputs do not fit ``task``: what was wanted, and what there is."""
    found = ", ".join(f"{spec.name} {spec.dtype}{list(spec.shape)}" for spec in outputs[:_MOST_SHOWN])
    if len(outputs) > _MOST_SHOWN:
        found += f" and {len(outputs) - _MOST_SHOWN} more"
    return ModelInvalid(
        "decode as",
        task,
        f"the task wants {wanted}, the model gives {found or 'nothing'}",
        "Use another model, or --task tensor for any",
    )


def garbage(what: str, problem: str) -> InputRejected:
    """Give the error for a frame whose outputs say nothing: ``what`` is the output's name, or the task."""
    return InputRejected("decode", what, problem, "Check the model with --task tensor")


def check_labels(labels: Labels, classes: int, task: str) -> None:
    """See that there is one label a class, or none at all: a list that is shifted by one lies in silence.

    Raises:
        ModelInvalid: there are more, or fewer.
    """
    if len(labels.names) not in (0, classes):
        raise ModelInvalid(
            "decode as",
            task,
            f"there are {len(labels.names)} labels for {classes} classes",
            "Give a label file with one line a class; some models have a first class for the background",
        )


def is_number(spec: TensorSpec) -> bool:
    """Whether the tensor holds real numbers or booleans: no strings, no complex numbers."""
    return np.dtype(spec.dtype).kind in "fiub"
