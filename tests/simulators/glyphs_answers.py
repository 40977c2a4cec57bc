"""What the bundled model of glyphs is given by those who check it: zeros first, then its golden inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent import resources
from agent.backends import tflite
from agent.bundles import golden, load
from agent.sources.pictures.picture import parse_picture
from agent.workers.program import engines
from agent.workers.program.measuring import Tryout
from agent.workers.spec import LaneSpec
from tests import runtimes

if TYPE_CHECKING:
    from agent.bundles.load import LoadedModel
    from agent.types import Array


def glyphs() -> LoadedModel:
    """The model."""
    return load.load(resources.bundled_models()["glyphs"])


def inputs(model: LoadedModel) -> list[tuple[Array, ...]]:
    """Each input, as the model's tensors."""
    assert model.manifest is not None
    assert model.folder is not None
    spec = LaneSpec(pipeline="probe", model=str(model.path), source="")
    backend = tflite.build(runtimes.options(tflite.Options), model.data)
    try:
        tryout = Tryout(engines.engine(spec, model, backend))
        zeros: list[Array] = [np.zeros(one.shape, one.dtype) for one in backend.inputs]
        pictures = (
            parse_picture(str(case.path), case.data) for case in golden.cases(model.folder, model.manifest)
        )
        return [tuple(zeros), *((tryout.tensors(picture)[0].copy(),) for picture in pictures)]
    finally:
        backend.close()
