"""A worker in proving mode: does a model keep what its manifest promises, on this machine, before it serves?

It is loaded on the pipeline's backend, must fit the pipeline, must meet its golden answers before and after
the runs that are timed, and must stay within its budget of time and memory.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import cv2

from agent.bundles import golden
from agent.errors import BackendFault, BundleRefused, Rejected
from agent.sources._picture import parse_picture
from agent.workers import contract, engines
from agent.workers.measuring import Memory, Tryout, preload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.bundles.load import LoadedModel
    from agent.manifest import Manifest
    from agent.types import Backend, Decoder, Phase
    from agent.workers.measuring import Cost
    from agent.workers.spec import LaneSpec


def prove(spec: LaneSpec, beat: Callable[[Phase], None]) -> dict[str, Any]:
    """Prove the model that ``spec`` names; give the fields of a ``proved`` message.

    Raises:
        BundleRefused: it does not load, does not fit the pipeline, answers otherwise or costs too much.
        ConfigInvalid: an option of the pipeline is wrong.
        ExtraMissing: the runtime is not installed.
    """
    cv2.setNumThreads(1)
    preload(spec)
    before = Memory.look()
    with _refusing("load", spec.model):
        model = engines.model_of(spec)
        backend = engines.backend_of(spec, model)
    with _refusing("contract", spec.model):
        contract.check(spec, model, backend)
        engine = engines.engine(spec, model, backend)
        decoder = own_decoder(model, backend) if model.manifest else None
    tryout = Tryout(engine, decoder, beat)
    met = meets(tryout, model)
    with _refusing("load", engine.facts["model"]):
        cost = tryout.cost(before)
    meets(tryout, model)  # a runtime that is right once may be wrong later
    if model.manifest:
        _within(spec.model, model.manifest, cost)
    return {**engine.facts, "goldens": met, **asdict(cost)}


def meets(tryout: Tryout, model: LoadedModel) -> int:
    """Compare what the model makes of its golden inputs with what it must; give how many there are.

    Raises:
        BundleRefused: it makes something else of one, or nothing.
    """
    if model.manifest is None or model.folder is None:
        return 0
    subject = tryout.engine.facts["model"]
    count = 0
    with _refusing("golden", subject):
        for case in golden.cases(model.folder, model.manifest):
            data = parse_picture(str(case.path), case.data)
            if difference := case.differs(tryout.items(data, count, str(case.path))):
                hint = "This machine computes something else: try another runtime or delegate"
                where = f"{subject} on {case.path.name}"
                raise BundleRefused("prove", where, difference, hint, rule="golden")
            count += 1
    return count


def _within(subject: str, manifest: Manifest, cost: Cost) -> None:
    limits = (
        ("the 95th percentile of an inference", cost.p95_ms, manifest.budget.p95_ms, "ms"),
        ("the memory that it takes", cost.rss_mb, manifest.budget.rss_mb, "MB"),
    )
    for what, found, most, unit in limits:
        if most is not None and found > most:
            problem = f"{what} is {found:g} {unit}, its budget is {most:g} {unit}"
            hint = "Use a smaller model or a faster delegate here, or raise the budget in its manifest"
            raise BundleRefused("prove", subject, problem, hint, rule="budget")


def own_decoder(model: LoadedModel, backend: Backend) -> Decoder:
    """Make the decoder that the golden answers were recorded with: the manifest's, not the pipeline's."""
    return engines.decoder_of(model.task or "", model.post, model, backend)


@contextmanager
def _refusing(rule: str, subject: str) -> Iterator[None]:
    """Refuse the bundle by ``rule`` for what is wrong with it in here."""
    try:
        yield
    except BundleRefused:
        raise
    except (Rejected, BackendFault) as error:
        problem = f"{error.op} {error.subject}: {error.problem}"
        raise BundleRefused("prove", subject, problem, error.hint, rule=rule) from error
