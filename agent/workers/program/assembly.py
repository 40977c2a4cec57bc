"""Put a worker's pipeline together: engine, source, threads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2

from agent import plugins
from agent.errors import ConfigInvalid, InputRejected
from agent.pipeline.capture import Capture
from agent.pipeline.gating import Gating
from agent.pipeline.runner import Runner
from agent.pipeline.slot import Slot
from agent.pipeline.steps import Filtering
from agent.types import Phase
from agent.validation import options
from agent.workers.chaining import check_order
from agent.workers.opening import opener
from agent.workers.program import engines
from agent.workers.program.staging import staging

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from agent.capture.feed import Feed
    from agent.config.pipelines import Plugin
    from agent.pipeline.capture import Reporter
    from agent.pipeline.engine import Engine
    from agent.pipeline.gate import Gate
    from agent.pipeline.media.asked import Asked
    from agent.pipeline.media.film import Film, Sends
    from agent.pipeline.runner import Drawing, Outlet
    from agent.pipeline.stages import Staging
    from agent.pipeline.steps import Step
    from agent.pipeline.wanted import Wanted
    from agent.types import Frame, Source
    from agent.workers.spec import LaneSpec


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline, ready to run. When it has run, ``finish`` sends what is left."""

    runner: Runner
    slot: Slot
    stages: Staging
    finish: Callable[[], None]


def assemble(
    spec: LaneSpec,
    *,
    reporter: Reporter,
    outlet: Outlet,
    stop: threading.Event,
    stranger: Callable[[Iterable[str]], str],
    beats: tuple[Callable[[Phase], None], Callable[[Phase], None]],
    turned: Callable[[Engine], None],
    sends: Sends,
    gate: Gate | None = None,
    feed: Feed | None = None,
    wanted: Wanted | None = None,
) -> Pipeline:
    """Load the model, run it once, and wire the threads; the source is opened by the capture thread.

    ``stranger`` names a device that is there now and was not when this process confined itself, or gives "";
    it is told what the source would open now.
    ``turned`` is told of the engine whose results begin, after a swap. ``sends`` takes snapshots and clips,
    from any thread. ``gate`` holds frames back.
    ``wanted`` says whether somebody wants a picture of a frame.
    ``feed`` has the way to the process that reads the source, where that is another one.

    Raises:
        AgentError: what ``engines.make`` raises, or a stage, gate or filter is wrong.
    """
    cv2.setNumThreads(1)  # a pipeline's parallelism is its threads; cv2's pool only adds switches
    engine = engines.make(spec, beat=beats[1])
    slot = Slot(engine)
    stages = staging(spec, beats[1])
    film = _film(spec, sends)
    steps = _steps(spec, stages, _sending(sends, beats[1]), film)
    asked = _asked(spec, wanted, sends, outlet, beats[0])
    check_order(spec.filters, engine.facts["task"])
    capture = Capture(
        open_source=_opener(spec, stranger, feed, beats[0], stop),
        slot=slot,
        reporter=reporter,
        beat=beats[0],
        stop=stop,
        start=spec.start,
        once=spec.once,
        limit=spec.limit,
        keep_pixels=bool(spec.draw or spec.stages or (spec.media and spec.media.snapshot)),
        gate=gate,
        prepare=_preparing(spec, outlet, film, asked),
        admit=Gating(_built("gates", spec.gates)),
    )
    runner = Runner(
        capture=capture,
        slot=slot,
        outlet=outlet,
        beat=beats[1],
        turned=turned,
        steps=steps,
        draw=_drawing(spec),
    )
    return Pipeline(runner, slot, stages, film.finish if film else lambda: None)


def _opener(
    spec: LaneSpec,
    stranger: Callable[[Iterable[str]], str],
    feed: Feed | None,
    beat: Callable[[Phase], None],
    stop: threading.Event,
) -> Callable[[int], Source]:
    """Give what opens the source: here, or where another process reads it for this one, too."""
    if spec.apart and feed is not None:
        from agent.capture.client import Remote

        return Remote(spec.source_name or spec.source, feed, beat, stop).open
    return opener(spec.source, spec.source_options, stranger)


def _preparing(
    spec: LaneSpec, outlet: Outlet, film: Film | None, asked: Asked | None
) -> Callable[[Frame], Frame]:
    """Give what each frame passes first: what is private is hidden before anybody looks."""
    steps: list[Callable[[Frame], Frame]] = []
    if spec.privacy:
        from agent.pipeline.privacy import Privacy

        steps.append(Privacy(spec.privacy))
    if asked is not None:
        steps.append(asked)
    if film is not None:
        steps.append(film)  # a clip shows what blinds the camera, too
    if spec.health is not None:
        from agent.pipeline.health import Teller, Watch

        steps.append(Watch(spec.health, Teller(outlet.say), (*spec.veiled, *spec.privacy)))
    return lambda frame: reduce(lambda one, step: step(one), steps, frame)


def _steps(spec: LaneSpec, stages: Staging, sends: Sends, film: Film | None) -> list[Step]:
    """Give what each result passes, in order."""
    steps: list[Step] = [stages] if spec.stages else []
    kinds = [one.kind for one in spec.filters]
    filters = zip(kinds, _built("filters", spec.filters), strict=True)
    if spec.filters:
        steps.append(Filtering(tuple(filters)))
    if spec.media is not None:
        from agent.pipeline.media.step import Picturing

        steps.append(Picturing(spec.media, sends, film))
    return steps


def _sending(sends: Sends, beat: Callable[[Phase], None]) -> Sends:
    """Have it known that the infer thread waits for the supervisor: as with results, that has no deadline."""

    def send(head: Mapping[str, Any], size: int, pieces: Iterable[bytes]) -> None:
        beat(Phase.SEND)
        sends(head, size, pieces)
        beat(Phase.DECODE)

    return send


def _film(spec: LaneSpec, sends: Sends) -> Film | None:
    if spec.media is None or not spec.media.clip:
        return None
    from agent.pipeline.media.film import Film

    return Film(spec.media, sends)


def _asked(
    spec: LaneSpec, wanted: Wanted | None, sends: Sends, outlet: Outlet, beat: Callable[[Phase], None]
) -> Asked | None:
    if wanted is None or not spec.remote_snapshots:
        return None
    from agent.pipeline.media.asked import Asked

    return Asked(wanted, sends, outlet.say, beat)


def _built(room: str, wanted: Sequence[Plugin]) -> list[Any]:
    """Build gates or filters, in order.

    Raises:
        ConfigInvalid: there is no such kind, or an option is wrong; ``loc`` is its path in the pipeline.
    """
    built = []
    for number, plugin in enumerate(wanted):
        module = plugins.load(room, plugin.kind, room, number, "kind")
        checked = options(module.Options, plugin.options, room, number)
        try:
            built.append(module.build(checked))
        except (ConfigInvalid, InputRejected) as error:
            loc = error.loc if isinstance(error, ConfigInvalid) else ()
            where = (room, number, *loc)
            raise ConfigInvalid(error.op, error.subject, error.problem, error.hint, loc=where) from error
    return built


def _drawing(spec: LaneSpec) -> Drawing | None:
    if not spec.draw:
        return None
    from agent.pipeline.draw import Draughtsman

    return Draughtsman(Path(spec.draw))
