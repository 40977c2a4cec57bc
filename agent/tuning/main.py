"""The program that measures one setting: ``python -m agent.tuning.main SOCKET_FD SPEC_FD PARENT_PID``.

It says ``loaded``, then answers "turn" with times and "check" with what differs, until it is told to stop or
its parent is gone. Exit codes: 0 done, 1 it failed and has said why.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

import orjson

from agent import plugins
from agent.boards.accelerators import delegate_of
from agent.errors import EXIT_FAILED, EXIT_OK, AgentError
from agent.processes import program
from agent.processes.message import flattened
from agent.tuning.messages import TrialSpec
from agent.validation import options
from agent.workers.confining import confine
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    from agent.processes.ipc import Channel
    from agent.types import Needs


def main() -> NoReturn:
    """Run the program; never returns."""
    channel, _, spec_json = program.begin()
    spec = TrialSpec.model_validate_json(spec_json)
    program.hush()
    code = EXIT_OK
    try:
        _serve(spec, channel)
    except AgentError as error:
        code = EXIT_FAILED
        channel.send(orjson.dumps({"type": "fault", **flattened(error)}))
    sys.stderr.flush()
    os._exit(code)  # native threads may hang: leave without waiting for them


def _serve(spec: TrialSpec, channel: Channel) -> None:
    lane = LaneSpec.model_validate(spec.lane)
    needs: list[Needs] = []
    module = plugins.load("backends", lane.backend, "backend", "kind")
    if hasattr(module, "needs"):
        needs.append(module.needs(options(module.Options, lane.backend_options, "backend")))
    delegate = delegate_of(spec.accelerator) if spec.accelerator else None
    if delegate is not None:
        needs.append(delegate.needs())
    confine(lane, needs)  # before native code is loaded
    from agent.tuning.trial import Opened, Trial

    opened = None
    if delegate is not None and spec.accelerator is not None:
        handle = delegate.open(module.loader(options(module.Options, lane.backend_options, "backend")))
        opened = Opened(handle, spec.accelerator.title, delegate.variant)
    trial = Trial(spec, opened)
    channel.send(orjson.dumps({"type": "loaded", **trial.facts}))
    while packet := channel.receive():
        match orjson.loads(packet):
            case {"type": "turn", "seconds": seconds, "least": least}:
                channel.send(orjson.dumps({"type": "times", "ns": trial.times(seconds, least)}))
            case {"type": "check"}:
                channel.send(orjson.dumps({"type": "checked", **trial.check()}))
            case _:
                return


if __name__ == "__main__":
    main()
