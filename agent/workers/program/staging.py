"""Loads the further models of a pipeline."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from agent.config.pipelines import Modelled
from agent.errors import ConfigInvalid, ModelInvalid
from agent.pipeline.stages import Crops, Stage, Staging
from agent.types import Phase
from agent.workers.program import engines
from agent.workers.spec import Eased

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.config import pipelines
    from agent.workers.spec import LaneSpec


def staging(spec: LaneSpec, beat: Callable[[Phase], None]) -> Staging:
    """Load the models of all stages, and run each once on the CPU.

    Args:
        spec: of the pipeline.
        beat: notes the phase of the infer thread.

    Raises:
        AgentError: what ``engines.make`` raises; of a wrong key, ``loc`` leads to the stage.
    """
    with ExitStack() as unless_all_load:
        stages = []
        for number, told in enumerate(spec.stages):
            try:
                stages.append(_stage(spec, told, partial(beat, Phase.DECODE)))
            except ConfigInvalid as error:
                loc = ("stages", number, *error.loc)
                raise ConfigInvalid(error.op, error.subject, error.problem, error.hint, loc=loc) from error
            unless_all_load.callback(stages[-1].engine.backend.close)
        unless_all_load.pop_all()
    return Staging(stages, beat)


def _stage(spec: LaneSpec, told: pipelines.Stage, beat: Callable[[], object]) -> Stage:
    options = spec.backend_options | ({"threads": told.threads} if told.threads else {})
    own = spec.model_copy(
        update={
            "model": told.model,
            **{key: getattr(told, key) for key in Modelled.model_fields},
            "backend_options": options,
            "tuned": spec.tuned if not told.threads else (),
            "digest": "",
            "eased": Eased(),
            "accelerated": False,
        }
    )
    model = engines.model_of(own)
    engine = engines.engine(own, model, engines.backend_of(own, model), beat)
    if told.crops is None:
        return Stage(told.name, engine)
    if engine.state is not None:
        engine.backend.close()
        problem = "it carries state from frame to frame, and crops are of different things"
        raise ModelInvalid("use model", model.name, problem, "Give it the whole frame: leave out crops")
    return Stage(told.name, engine, Crops(frozenset(told.crops), told.most, told.min_score, told.margin))
