"""edge-agent replay: run a recording through the model again, and compare with the results that it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.recording import recorded, reference
from agent.cli.recording.wanted import pipeline_of
from agent.cli.terminal.numbers import number
from agent.errors import EXIT_FAILED, EXIT_OK, AgentError, InputRejected
from agent.recordings.comparing import FAILED, differs, reason, tolerance
from agent.wording import in_words, plain
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from agent.cli.recording.recorded import Recorded
    from agent.cli.recording.reference import Judged
    from agent.recordings.documents import Outcome

HELP = "run a recording through a model again and compare"
DESCRIPTION = """\
Runs the model over the frames of a recording, on the CPU, and compares each result with the recorded one: an
incident becomes a regression test. Where model, runtime, processor and OpenCV are those of the recording,
results must be the same to the bit; else numbers may be off by the recording's tolerance."""
EPILOG = """\
examples:
  edge-agent replay incident.tar                       with the model it names
  edge-agent replay incident.tar --model new.tflite    does the new one agree?
  edge-agent replay incident.tar --config agent.toml --pipeline door
  edge-agent replay incident.tar --model new.tflite --update

exit codes: 0 every result is as recorded, 1 one differs or nothing can be compared, 2 usage, 78 there is no
such pipeline"""

_OP = "replay"
_SHOWN = 10
"""So many differences are told in JSON."""
_ITEMS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("recording", type=Path, metavar="FILE", help="what edge-agent record has made")
    reference.add_model(parser)
    parser.add_argument("--config", "-c", type=Path, metavar="FILE", help="where the pipeline stands")
    parser.add_argument("--pipeline", default="", metavar="NAME", help="take model and decoder from it")
    parser.add_argument(
        "--tolerance",
        type=number(float, 0, 1e9),
        metavar="D",
        help="what numbers may be off by, over what the recording says",
    )
    parser.add_argument("--update", action="store_true", help="write the new results into the recording")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def main(arguments: argparse.Namespace) -> int:
    """Run, compare and print; give the exit code."""
    path: Path = arguments.recording
    held = recorded.look(path)
    lane = reference.lane(arguments, _base(arguments, held))
    if lane is None:
        raise InputRejected(_OP, str(path), "it names no model", "Name one with --model or --pipeline")
    if held.results is None and not arguments.update:
        hint = "Write them with --update, when they are right"
        raise InputRejected(_OP, str(path), "it holds no results to compare with", hint)
    if not held.frames:
        raise InputRejected(_OP, str(path), "it holds no frames", "Record it again")
    allowed = arguments.tolerance
    if arguments.update and allowed is None:
        allowed = held.results.tolerance if held.results else reference.tolerance_of(lane)
    judged = reference.judge(lane, path, held.frames, "replaying")
    told = _compared(held, judged, arguments.tolerance)
    if arguments.update:
        outcomes = (one for _, one in sorted(judged.outcomes.items()))
        recorded.write_results(path, judged.results(allowed), outcomes)
    _print(told, held, judged, as_json=arguments.json, updated=arguments.update)
    return EXIT_OK if arguments.update or not told["differ"] else EXIT_FAILED


def _base(arguments: argparse.Namespace, held: Recorded) -> LaneSpec | None:
    """Give the pipeline that is replayed: the configured one, else what the recording says."""
    if arguments.pipeline:
        return pipeline_of(arguments.pipeline, arguments.config)
    if arguments.config:
        hint = "Name the pipeline with --pipeline"
        raise AgentError(_OP, str(arguments.config), "it may have several pipelines", hint)
    if held.results is None:
        return None
    said = held.results
    return LaneSpec(
        pipeline="replay",
        model=said.path,
        task=said.task,
        decoder=said.decoder,
        labels=said.labels,
        source="recording",
    )


def _compared(held: Recorded, judged: Judged, given: float | None) -> dict[str, Any]:
    """Say what differs, and how it was compared."""
    told: dict[str, Any] = {
        "recording": str(held.path),
        "frames": held.frames,
        "remark": held.remark,
        "model": judged.ready.model,
        "sha256": judged.ready.sha256,
        "reference": judged.reference.model_dump(),
        "differ": 0,
        "differences": [],
    }
    if held.results is None:
        return told | {"recorded": None, "tolerance": None, "why": "there was nothing to compare with"}
    most, why = tolerance(held.results, judged.ready.sha256, judged.reference, given)
    found = judged.outcomes
    differences = [
        {"frame": frame, "what": what, "expected": _plain(held.outcomes, frame), "got": _plain(found, frame)}
        for frame in sorted(found.keys() | held.outcomes.keys())
        if (what := differs(found.get(frame), held.outcomes.get(frame), most))
    ]
    told |= {"recorded": held.results.model, "tolerance": most, "why": why}
    return told | {"differ": len(differences), "differences": differences[:_SHOWN]}


def _plain(outcomes: Mapping[int, Outcome], frame: int) -> dict[str, Any] | None:
    one = outcomes.get(frame)
    return None if one is None else {"kind": one.kind, "items": one.items}


def _print(told: dict[str, Any], held: Recorded, judged: Judged, *, as_json: bool, updated: bool) -> None:
    path = held.path
    if as_json:
        print(json.dumps(told | {"updated": updated}))
        return
    if held.remark:
        print(f"{path}: {plain(held.remark, 200)}; {held.frames} frames can be read")
    for one in told["differences"][:1]:
        print(f"frame {one['frame']}: {plain(one['what'], 300)}")
        print(f"  expected  {_in_words(held.outcomes.get(one['frame']))}")
        print(f"  got       {_in_words(judged.outcomes.get(one['frame']))}")
    if told["tolerance"] is None:
        compared = "no results were recorded before"
    else:
        how = f"numbers may be off by {told['tolerance']:g}" if told["tolerance"] else "to the bit"
        compared = (
            f"{told['frames'] - told['differ']} of {told['frames']} frames as recorded ({how}: {told['why']})"
        )
    print(f"{path}: {told['model']}: {compared}")
    if updated:
        print(f"{path}: the results are now those of {told['model']}")


def _in_words(outcome: Outcome | None) -> str:
    if outcome is None:
        return "no answer"
    if outcome.kind == FAILED:
        return f"failed: {reason(outcome)}"
    more = max(0, len(outcome.items) - _ITEMS)
    return plain(in_words(outcome.items[:_ITEMS], more=more), 300)
