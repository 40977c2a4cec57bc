"""One setting, measured in a process of its own: the model is loaded once, inferences are timed in turns."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent import plugins
from agent.bundles import golden
from agent.bundles.load import variant
from agent.errors import ModelInvalid
from agent.sources.pictures.picture import parse_picture
from agent.tuning.messages import MOST_TIMES
from agent.validation import options
from agent.workers.program import engines
from agent.workers.program.decoding import decoder_of
from agent.workers.program.goldens import fixed_input, twin_case
from agent.workers.program.measuring import Memory, Tryout, preload
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.tuning.messages import TrialSpec
    from agent.types import Array, Backend

_KEPT = 3
"""Inputs that are timed, in turn."""
_MB = 1 << 20
_MOST_WORDS = 1000


@dataclass(frozen=True, slots=True)
class Opened:
    """An accelerator that is open in this process.

    Attributes:
        handle: what the runtime's interpreter takes.
        title: what it is called.
        variant: which of a bundle's variants it runs.
    """

    handle: object
    title: str
    variant: str


class Trial:
    """A model in one setting. Of one thread.

    Args:
        spec: what to run.
        delegate: the opened accelerator; None for the CPU.

    Raises:
        AgentError: it does not load or run, or an option is wrong.
    """

    def __init__(self, spec: TrialSpec, delegate: Opened | None = None) -> None:
        cv2.setNumThreads(1)
        self._spec = spec
        self._lane = LaneSpec.model_validate(spec.lane)
        preload(self._lane)
        before = Memory.look()
        self._model = engines.model_of(self._lane)
        began = time.monotonic_ns()
        self._backend = self._built(spec.lane["backend_options"], delegate)
        loaded = time.monotonic_ns()
        zeros = tuple(np.zeros(one.shape, one.dtype) for one in self._backend.inputs)
        self._backend.infer(zeros)
        first = time.monotonic_ns()
        memory = Memory.look()
        self.facts = self._facts(loaded - began, first - loaded) | {
            "rss_mb": round(memory.added_since(before) / _MB, 1),
            "process_mb": round(memory.now / _MB, 1),
        }
        self._tryout = self._prepared()
        self._inputs = list(self._golden_inputs()) or list(self._noise())
        self._next = 0

    def times(self, seconds: float, least: int) -> list[int]:
        """Time inferences for about so long, nanoseconds each; the one before them is not counted.

        Raises:
            BackendFault: the runtime failed.
        """
        self._backend.infer(self._inputs[0])
        found: list[int] = []
        until = time.monotonic() + seconds
        while len(found) < MOST_TIMES and (len(found) < least or time.monotonic() < until):
            tensors = self._inputs[self._next % len(self._inputs)]
            self._next += 1
            began = time.monotonic_ns()
            self._backend.infer(tensors)
            found.append(max(1, time.monotonic_ns() - began))
        return found

    def check(self) -> dict[str, Any]:
        """Compare with the golden answers, or with what the reference makes of the same inputs.

        Returns:
            The fields of ``messages.Checked``.

        Raises:
            AgentError: a golden input cannot be read, or the runtime failed.
        """
        if self._tryout is None:
            return self._against_reference()
        count = 0
        for count, (case, data) in enumerate(self._cases(), 1):
            if difference := case.differs(self._tryout.items(data, count, str(case.path))):
                return _checked(count, f"{case.path.name}: {difference}")
        return _checked(count)

    def _built(self, given: dict[str, Any], delegate: Opened | None = None) -> Backend:
        module = plugins.load("backends", self._lane.backend, "backend", "kind")
        data, more = self._model.data, {}
        if delegate is not None:
            more = {"delegate": delegate.handle, "title": delegate.title}
            if self._model.manifest is not None:  # a bare file is taken at its word
                data = variant(self._model, delegate.variant)
        made: Backend = module.build(
            options(module.Options, given, "backend"), data, self._model.name, **more
        )
        return made

    def _facts(self, load_ns: int, first_ns: int) -> dict[str, Any]:
        model = self._model
        facts = engines.facts_of(model, self._backend, "")
        kept = {key: facts[key] for key in ("model", "sha256", "runtime", "delegate", "delegated")}
        times = {"load_ms": round(load_ns / 1e6, 3), "first_ms": round(first_ns / 1e6, 3)}
        return {**kept, **times, "size": len(model.data)}

    def _prepared(self) -> Tryout | None:
        """What runs golden inputs as the bundle's own decoder reads them; None where there are none."""
        model = self._model
        if model.manifest is None or not model.manifest.golden:
            return None
        decoder = decoder_of(model.task or "", model, self._backend)
        return Tryout(engines.engine(self._lane, model, self._backend), decoder)

    def _cases(self) -> Iterator[tuple[golden.Case, Array]]:
        model = self._model
        if model.manifest is None or model.folder is None:
            return
        for case in golden.cases(model.folder, model.manifest):
            yield case, parse_picture(str(case.path), case.data)

    def _golden_inputs(self) -> Iterator[Sequence[Array]]:
        if self._tryout is None:
            return
        for count, (case, data) in enumerate(self._cases()):
            if count == _KEPT:
                return
            yield [one.copy() for one in self._tryout.tensors(data, count, str(case.path))]

    def _noise(self) -> Iterator[Sequence[Array]]:
        for number in range(_KEPT):
            yield tuple(fixed_input(one, number) for one in self._backend.inputs)

    def _against_reference(self) -> dict[str, Any]:
        if not self._spec.reference:
            return {"goldens": 0, "compared": False}
        try:
            reference = self._built(self._spec.reference)
        except ModelInvalid:  # compiled for an accelerator alone: there is nothing to compare with
            return {"goldens": 0, "compared": False}
        try:
            made = [twin_case(reference, number) for number in range(_KEPT)]
        finally:
            reference.close()
        cases = [one for one in made if one is not None]
        for case in cases:
            if difference := case.differs(self._backend.infer(case.tensors)):
                return _checked(0, difference)
        return _checked(0) if cases else {"goldens": 0, "compared": False}


def _checked(goldens: int, difference: str = "") -> dict[str, Any]:
    return {"goldens": goldens, "compared": True, "difference": difference[:_MOST_WORDS]}
