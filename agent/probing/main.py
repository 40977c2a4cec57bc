"""Tries one accelerator and says what it found; a crash or a hang of its library costs this process only.

``python -m agent.probing.main SOCKET_FD SPEC_FD PARENT_PID`` is started by ``agent.probing.trial``, and dies
with its parent.
Exit codes: 0 it went through, 1 it did not.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

import orjson

from agent import resources
from agent.boards.accelerators import delegate_of
from agent.confinement.confine import confine_owner
from agent.errors import EXIT_FAILED, EXIT_OK, AgentError
from agent.probing.trial import TrialSpec
from agent.processes import program
from agent.processes.message import flattened

if TYPE_CHECKING:
    from agent.probing.passport import Stage, Tried
    from agent.processes.ipc import Channel


def tried(spec: TrialSpec, channel: Channel) -> Tried:
    """Do what ``spec`` says, in the confinement that the accelerator's own process has.

    Raises:
        AgentError: it cannot be done, and why.
    """

    def at(stage: Stage) -> None:
        channel.send(orjson.dumps({"type": "at", "stage": stage}))

    delegate = delegate_of(spec.accelerator)
    if spec.confine:
        needs = delegate.needs()
        models = (*spec.models, *map(str, resources.bundled_models().values()))
        confine_owner(spec.hidden, replace(needs, read=(*needs.read, *models)))
    from agent.probing.trying import try_out

    return try_out(spec, delegate, at)


def main() -> NoReturn:
    """Run as a program."""
    channel, _, orders = program.begin()
    program.hush()
    try:
        found = tried(TrialSpec.model_validate_json(orders), channel)
    except AgentError as error:
        channel.send(orjson.dumps({"type": "fault", **flattened(error)}))
        os._exit(EXIT_FAILED)
    channel.send(orjson.dumps({"type": "found", "tried": found.model_dump()}))
    os._exit(EXIT_OK)  # a library's own threads and destructors may hang


if __name__ == "__main__":
    main()
