"""What the commands share that run one model over inputs: some options, and the lane that does it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from agent.config.tables import Deadlines
from agent.errors import AgentError
from agent.foreground import Foreground
from agent.workers.process import WorkerProcess

if TYPE_CHECKING:
    import argparse

    from agent.workers.messages import Fault
    from agent.workers.spec import LaneSpec


def add_source(parser: argparse.ArgumentParser) -> None:
    """Declare ``--source``."""
    parser.add_argument(
        "--source",
        default="",
        metavar="KIND[:KEY=VALUE,...]",
        help="a source with its options, in place of INPUT",
    )


def add_features(parser: argparse.ArgumentParser) -> None:
    """Declare ``--features``."""
    parser.add_argument(
        "--features",
        default="",
        metavar="KIND[:KEY=VALUE,...]",
        help="what is computed of each window, for a model that is no bundle",
    )


def lane(spec: LaneSpec) -> Foreground:
    """Make the lane that runs it, with standard input where that is the source."""
    spawn = partial(WorkerProcess, stdin=0) if spec.source == "stdin" else WorkerProcess
    return Foreground(spec, Deadlines(), explain=_refusal, spawn=spawn)


def _refusal(fault: Fault) -> AgentError:
    """Word a worker's refusal: there is no configuration here that could be wrong."""
    hint = "See edge-agent infer --help, and docs/configuration.md for all options"
    return AgentError(fault.op, fault.subject, fault.problem, fault.hint or hint)
