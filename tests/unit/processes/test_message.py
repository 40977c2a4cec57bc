"""Errors of ours on their way between processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.errors import Absent, AgentError, BundleRefused, LaneCrashed
from agent.processes.ipc import MAX_PACKET
from agent.processes.message import error_of, flattened
from agent.updater.messages import Failed, parse
from agent.workers import messages

if TYPE_CHECKING:
    from agent.processes.message import Flat


@pytest.mark.parametrize(
    "error",
    [
        Absent("fetch", "a", "it is not there", "Publish it"),
        BundleRefused("take", "a", "no", rule="policy.names"),
        LaneCrashed("run", "a", "it died"),
        AgentError("run", "a", "KeyError: 1"),
    ],
)
@pytest.mark.parametrize("kind", [Failed, messages.Fault, messages.Unswapped])
def test_an_error_that_is_told_to_another_process_is_the_same_there(
    error: AgentError, kind: type[Flat]
) -> None:
    more = {"token": 1} if kind is messages.Unswapped else {}
    again = error_of(kind.model_validate({**flattened(error), **more}))
    assert (type(again), again.args) == (type(error), error.args)
    assert getattr(again, "rule", None) == getattr(error, "rule", None)


@pytest.mark.parametrize("name", ["AgentErrors", "Fault", "annotations", "EXIT_OK", "SourceEnded"])
def test_what_is_no_error_of_ours_becomes_a_plain_one(name: str) -> None:
    fields = flattened(AgentError("run", "a", "b")) | {"error": name}
    assert type(error_of(Failed.model_validate(fields))) is AgentError


@pytest.mark.parametrize("letter", ["\0", '"', "\N{PARTY POPPER}"])
def test_the_longest_error_fits_a_packet(letter: str) -> None:
    error = AgentError(*[letter * 100_000] * 4)
    packet = Failed.model_validate(flattened(error)).model_dump_json().encode()
    assert len(packet) <= MAX_PACKET
    assert isinstance(parse(packet), Failed)
