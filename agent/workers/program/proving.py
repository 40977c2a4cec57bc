"""A worker in proving mode: does a model keep what its manifest promises, on this machine, before it serves?

It is loaded on the pipeline's backend, must fit the pipeline, must meet its golden answers before and after
the runs that are timed, and must stay within its budget of time and memory.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import cv2

from agent.accelerator.client import Connection
from agent.accelerator.faults import AcceleratorFault, NotLoaded
from agent.bundles import golden
from agent.errors import BackendFault, BundleRefused, DelegateLost, Rejected
from agent.pipeline.generating import Generator
from agent.sources.pictures.picture import parse_picture
from agent.types import Phase
from agent.workers.program import contract, engines
from agent.workers.program.accelerating import Lent, fits, remote_of
from agent.workers.program.decoding import answering, decoder_of
from agent.workers.program.measuring import Memory, Tryout, preload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.accelerator.remote import RemoteBackend
    from agent.bundles.load import LoadedModel
    from agent.manifest import Manifest
    from agent.pipeline.engine import Engine
    from agent.types import Array, Backend, Decoder
    from agent.workers.lending import Lending
    from agent.workers.program.measuring import Cost
    from agent.workers.spec import LaneSpec

_LENT_S = 10.0
"""The connection comes right after the start."""


def prove(spec: LaneSpec, beat: Callable[[Phase], None], lending: Lending) -> dict[str, Any]:
    """Prove the model that ``spec`` names; give the fields of a ``proved`` message.

    With an accelerator it is proved there, after the twin, which may have to stand in, has met its golden
    answers on the CPU. The memory that counts is this process's: the accelerator has its own.

    Raises:
        DelegateLost: the accelerator failed, which says nothing of the model.
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
        if model.manifest:
            engine = replace(engine, backend=answering(backend, model.task or "", model))
    tryout = Tryout(engine, decoder, beat)
    met = meets(tryout, model)
    if spec.lent and not isinstance(engine.backend, Generator):  # which serves on the CPU
        with _refusing("load", spec.model):
            engine = _moved(engine, model, lending, beat)
        tryout = Tryout(engine, decoder, beat)
        meets(tryout, model)
    with _refusing("load", tryout.engine.facts["model"]):
        cost = tryout.cost(before)
    meets(tryout, model)  # a runtime that is right once may be wrong later
    if model.manifest:
        _within(spec.model, model.manifest, cost)
    return {**engine.facts, "goldens": met, **asdict(cost)}


def _moved(engine: Engine, model: LoadedModel, lending: Lending, beat: Callable[[Phase], None]) -> Engine:
    """Give the engine with its model on the accelerator that is lent for the proof.

    Raises:
        DelegateLost: none was lent, or it failed.
        ModelInvalid: the bundle has no variant for it, or one that does not fit.
        NotLoaded: the accelerator does not take the model.
    """
    beat(Phase.WAIT)
    if (lent := lending.wait(_LENT_S)) is None:
        raise DelegateLost("prove on", "accelerator", "none was lent in time")
    terms, fd = lent
    held = Lent(terms, Connection(fd, terms.accelerator))
    with _lost():
        remote = remote_of(held, model)
    fits(held, remote, engine.backend)
    facts = engines.facts_of(model, remote, engine.facts["task"])
    return replace(engine, backend=Patient(remote), facts=facts)


class Patient:
    """A model on an accelerator that others use, too: it waits while that loads for them."""

    def __init__(self, remote: RemoteBackend) -> None:
        self._remote = remote
        self.inputs, self.outputs = remote.inputs, remote.outputs
        self.runtime, self.delegate, self.delegated = remote.runtime, remote.delegate, remote.delegated

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        """Run the model once.

        Raises:
            DelegateLost: the accelerator failed.
        """
        with _lost():
            return self._remote.infer_patiently(tensors)

    def close(self) -> None:
        """Let go of the model."""
        self._remote.close()


@contextmanager
def _lost() -> Iterator[None]:
    """An accelerator that fails says nothing of the model; one that does not take it does."""
    try:
        yield
    except NotLoaded:
        raise
    except AcceleratorFault as fault:
        raise DelegateLost(fault.op, fault.subject, fault.problem, fault.hint) from fault


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
    return decoder_of(model.task or "", model, backend)


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
