"""Runs a model over a recording on the CPU, in a worker process: the reference that results are held to."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.bundles.load import load
from agent.cli.terminal.progress import progress
from agent.config.tables import Deadlines
from agent.errors import AgentError
from agent.foreground import Foreground
from agent.probing.machine import Machine
from agent.recordings.comparing import FAILED
from agent.recordings.documents import Outcome, Reference, Results
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    import argparse

    from agent.workers.messages import Fault, Ready
    from agent.workers.record import Record

TOLERANCE = 0.05
"""Where the model's golden answers say nothing: scores and coordinates go from 0 to 1."""
_OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python")
_CPU = ("model name", "Model", "Hardware")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model said of a recording.

    Attributes:
        lane: how it was run.
        ready: which model, on what.
        outcomes: by the frame's number; frames that no process lived through have failed.
    """

    lane: LaneSpec
    ready: Ready
    outcomes: dict[int, Outcome]

    @property
    def reference(self) -> Reference:
        """What the results depend on besides the model."""
        return Reference(
            runtime=self.ready.runtime,
            delegate=self.ready.delegate,
            machine=platform.machine(),
            cpu=_cpu(),
            opencv=_opencv(),
        )

    def results(self, tolerance: float) -> Results:
        """Say what the results are of."""
        return Results(
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            model=self.ready.model,
            path=self.lane.model,
            sha256=self.ready.sha256,
            bundle=self.ready.bundle,
            task=self.ready.task,
            decoder=self.lane.decoder,
            labels=self.lane.labels,
            tolerance=tolerance,
            reference=self.reference,
        )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Declare what says which model runs."""
    parser.add_argument(
        "--model", default="", metavar="M", help="a .tflite file, a bundle's folder or a bundled model"
    )
    parser.add_argument(
        "--task", default="", metavar="T", help="what its outputs mean; the bundle's own if any"
    )
    parser.add_argument("--labels", default="", metavar="FILE", help="class names, one a line")
    parser.add_argument(
        "--runtime", choices=("auto", "ai-edge-litert", "tflite-runtime"), help="what runs it"
    )


def lane(asked: argparse.Namespace, base: LaneSpec | None = None) -> LaneSpec | None:
    """Give the pipeline that runs a model as the reference: one thread of the CPU, no private regions again.

    Args:
        asked: model, task, labels and runtime, as the command line says.
        base: what stands where it says nothing; None for nothing.

    Returns:
        None where no model is named.
    """
    base = base or LaneSpec(pipeline="replay", model="", source="recording")
    if not (asked.model or base.model):
        return None
    options = base.backend_options
    if base.backend == "tflite":
        kept: dict[str, Any] = {key: options[key] for key in ("xnnpack", "runtime") if key in options}
        options = {"threads": 1, **kept}
        if asked.runtime:
            options["runtime"] = asked.runtime
    return LaneSpec(
        pipeline="replay",
        model=_whole(asked.model, "") or _whole(base.model, base.folder),
        task=asked.task or base.task,
        decoder=base.decoder,
        labels=_whole(asked.labels, "") or _whole(base.labels, base.folder),
        backend=base.backend,
        backend_options=options,
        source="recording",
        hidden=base.hidden,
        digest="" if asked.model else base.digest,
        bundles=base.bundles,
        once=True,
    )


def judge(spec: LaneSpec, recording: Path, frames: int, doing: str) -> Judged:
    """Run the model over all frames.

    Args:
        spec: what ``lane`` has given.
        recording: the file.
        frames: how many it has.
        doing: what the progress is called.

    Raises:
        AgentError: the model does not load, or the process died several times without getting anywhere.
    """
    spec = spec.model_copy(update={"source_options": {"path": str(recording.resolve())}})
    found: dict[int, Outcome] = {}
    worker = Foreground(spec, Deadlines(), explain=_explained)
    with progress(doing, frames) as bar:
        for records in worker.run():
            found.update((one.frame, _outcome(one)) for one in records)
            bar.advance(len(records))
    ready = worker.outcome.ready
    if ready is None:
        raise AgentError("run", spec.model, "the worker did not say which model it runs", "Try it again")
    crashed = partial(Outcome, kind=FAILED, items=[{"reason": "crash"}])
    found |= {number: crashed(frame=number) for number in range(frames) if number not in found}
    return Judged(spec, ready, found)


def tolerance_of(spec: LaneSpec) -> float:
    """Give by how much a number may be off elsewhere: what the model's golden answers allow, if any."""
    manifest = load(spec.model).manifest
    return max((one.tol for one in manifest.golden), default=TOLERANCE) if manifest else TOLERANCE


def _outcome(record: Record) -> Outcome:
    return Outcome(frame=record.frame, kind=record.kind, items=record.items)


def _explained(fault: Fault) -> AgentError:
    """Word a worker's refusal: there is no configuration here that could be wrong."""
    return AgentError(fault.op, fault.subject, fault.problem, fault.hint or "See edge-agent replay --help")


def _whole(name: str, folder: str) -> str:
    """Give a path as any process finds it; a bundled model's name stays."""
    path = Path(folder, name)
    return str(path.resolve()) if name and path.exists() else name


def _cpu() -> str:
    known = dict(reversed(list(Machine().cpuinfo())))
    return next((known[key][:200] for key in _CPU if key in known), "")


def _opencv() -> str:
    found = (one.version for name in _OPENCV for one in metadata.distributions(name=name))
    return next(found, "")
