"""Put a worker's pipeline together: engine, source, threads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from agent import plugins
from agent.errors import ConfigInvalid, InputRejected, LaneCrashed, SourceLost
from agent.pipeline.capture import Capture
from agent.pipeline.health import Teller, Watch
from agent.pipeline.privacy import Privacy
from agent.pipeline.runner import Runner
from agent.pipeline.slot import Slot
from agent.validation import options
from agent.workers import engines

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    from agent.pipeline.capture import Reporter
    from agent.pipeline.engine import Engine
    from agent.pipeline.gate import Gate
    from agent.pipeline.runner import Drawing, Outlet
    from agent.types import Frame, Needs, Phase, Source
    from agent.workers.spec import LaneSpec


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline, ready to run."""

    runner: Runner
    slot: Slot


def assemble(
    spec: LaneSpec,
    *,
    reporter: Reporter,
    outlet: Outlet,
    stop: threading.Event,
    stranger: Callable[[Iterable[str]], str],
    beats: tuple[Callable[[Phase], None], Callable[[Phase], None]],
    turned: Callable[[Engine], None],
    gate: Gate | None = None,
) -> Pipeline:
    """Load the model, run it once, and wire the threads; the source is opened by the capture thread.

    ``stranger`` names a device that is there now and was not when this process confined itself, or gives "";
    it is told what the source would open now.
    ``turned`` is told of the engine whose results begin, after a swap. ``gate`` holds frames back.

    Raises:
        AgentError: what ``engines.make`` raises.
    """
    cv2.setNumThreads(1)  # a pipeline's parallelism is its threads; cv2's pool only adds switches
    slot = Slot(engines.make(spec, beat=beats[1]))
    capture = Capture(
        open_source=_opener(spec, stranger),
        slot=slot,
        reporter=reporter,
        beat=beats[0],
        stop=stop,
        start=spec.start,
        once=spec.once,
        limit=spec.limit,
        keep_pixels=bool(spec.draw),
        gate=gate,
        prepare=_preparing(spec, outlet),
    )
    runner = Runner(
        capture=capture,
        slot=slot,
        outlet=outlet,
        beat=beats[1],
        turned=turned,
        draw=_drawing(spec),
    )
    return Pipeline(runner, slot)


def _opener(spec: LaneSpec, stranger: Callable[[Iterable[str]], str]) -> Callable[[int], Source]:
    module = plugins.load("sources", spec.source, "source", "kind")
    given = options(module.Options, spec.source_options, "source")

    def open_source(start: int) -> Source:
        try:
            source: Source = module.build(given, start=start)
        except InputRejected as error:
            raise ConfigInvalid(error.op, error.subject, error.problem, error.hint) from error
        except SourceLost as error:
            if path := stranger(_wanted(module, given)):  # it is another by now, and closed to this process
                came = "plugged in" if path.startswith("/dev/") else "put there"
                problem = f"it was {came} after this worker had confined itself"
                raise LaneCrashed(error.op, path, problem, "A new worker opens it") from error
            raise
        return source

    return open_source


def _wanted(module: ModuleType, given: object) -> Iterator[str]:
    """Give what the source and its programs would open by now."""
    if hasattr(module, "needs"):
        needs: Needs = module.needs(given)
        yield from (*needs.devices, *needs.read)
        for command in needs.programs:
            yield from command.needs.devices


def _preparing(spec: LaneSpec, outlet: Outlet) -> Callable[[Frame], Frame]:
    """Give what each frame passes first: what is private is hidden before anybody looks."""
    steps: list[Callable[[Frame], Frame]] = []
    if spec.privacy:
        steps.append(Privacy(spec.privacy))
    if spec.health is not None:
        steps.append(Watch(spec.health, Teller(outlet.say), spec.privacy))
    return lambda frame: reduce(lambda one, step: step(one), steps, frame)


def _drawing(spec: LaneSpec) -> Drawing | None:
    if not spec.draw:
        return None
    from agent.pipeline.draw import Draughtsman

    return Draughtsman(Path(spec.draw))
