"""The device passport of this machine, put together of what was looked at and what was tried."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.cli.examining.runtime import runtime_in_use
from agent.cli.examining.versions import versions
from agent.errors import ExtraMissing
from agent.probing import inspection, survey
from agent.probing.machine import Machine
from agent.probing.passport import CameraPart, Passport, RuntimePart
from agent.probing.verdicts import judge
from agent.sources.v4l2.devices import cameras

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent.boards.matching import Recognised
    from agent.probing.inspection import Inspected
    from agent.probing.passport import DelegatePart

_NO_PACKAGES = frozenset(("edge-agent", "python", "machine", "system"))


def untried(found: Recognised) -> Passport:
    """Give the passport of a board whose accelerators were looked at, and none was opened."""
    looked = (
        inspection.inspect(one, named=named) for one, named in inspection.entries(found.profile.delegates)
    )
    return passport_of(found, (judge(left_alone(one, "not tried"), None) for one in looked))


def passport_of(found: Recognised, tries: Iterable[DelegatePart], *, serial: bool = False) -> Passport:
    """Give the passport of a board, with the serial number if that is wanted."""
    machine = Machine()
    return Passport(
        board=survey.board(machine, found, serial=serial),
        system=survey.system(machine),
        cpu=survey.cpu(machine),
        memory=survey.memory(machine, found.profile),
        runtime=_runtime(),
        thermal=survey.thermal(machine, found.profile.thermal),
        power=survey.power(machine, found.profile.power),
        cameras=tuple(_cameras()),
        delegates=tuple(tries),
    )


def left_alone(looked: Inspected, why: str) -> Inspected:
    """Give what was looked at as something that is not tried: what is not there stays that."""
    if not looked.presence.there:
        return looked
    return replace(looked, presence=replace(looked.presence, there=False, why=why))


def _runtime() -> RuntimePart:
    packages = {name: version for name, version in versions().items() if name not in _NO_PACKAGES}
    try:
        name, why = runtime_in_use()
    except ExtraMissing as error:
        return RuntimePart(name="", why=f"{error.problem}. {error.hint}", packages=packages)
    return RuntimePart(name=name, why=why, packages=packages)


def _cameras() -> Iterator[CameraPart]:
    for one in cameras():
        formats = tuple(map(str, one.formats))
        yield CameraPart(
            device=one.best_id, name=one.name, driver=one.driver, formats=formats, problem=one.problem
        )
