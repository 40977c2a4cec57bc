"""What the command line says of a rollout, read: waves, shares, durations, conditions."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, get_args

from pydantic import ValidationError

from agent.documents.desired import Wanted
from agent.errors import ConfigInvalid
from agent.fleet.rollouts.record import Condition, Metric, Plan
from agent.moments import span
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

_OP = "plan rollout"
_MOST_S = 365 * 86_400
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)%")
_CONDITION = re.compile(r"([a-z0-9]+)\s*([<>])\s*(\d{1,12}(?:\.\d{1,6})?)\s*(x|%)?")
_RELATIVE = frozenset({"p50", "p95", "fps"})
_SHARES = frozenset({"failed", "dropped"})


@dataclass(frozen=True, slots=True)
class Told:
    """What the command line says, as it stands there; "" where it says nothing."""

    model: str
    fleet: str
    pipelines: str
    waves: str
    soak: str
    deadline: str
    max_fail: str
    max_silent: str = ""
    conditions: Sequence[str] = ()
    on_fail: str = "abort"
    seed: int = 0
    name: str = ""
    frames: int | None = None
    seconds: float | None = None


def plan(told: Told, taken: Sequence[str]) -> Plan:
    """Read a plan.

    Args:
        told: as it was written.
        taken: names of rollouts that are there.

    Raises:
        ConfigInvalid: something of it is wrong.
    """
    name, at, version = told.model.partition("@")
    if not at:
        hint = "Write MODEL@VERSION, such as shapes@1.1.0"
        raise ConfigInvalid(_OP, repr(told.model), "it names no model and version", hint)
    pipelines = tuple(dict.fromkeys(one.strip() for one in told.pipelines.split(",")))
    try:
        return Plan(
            name=told.name or _name(told.model, taken),
            fleet=told.fleet,
            model=Wanted(name=name, version=version),
            pipelines=pipelines,
            waves=waves(told.waves),
            soak_s=seconds("--soak", told.soak),
            deadline_s=seconds("--deadline", told.deadline),
            max_fail=share("--max-fail", told.max_fail),
            max_silent=share("--max-silent", told.max_silent) if told.max_silent else None,
            conditions=tuple(condition(one) for one in told.conditions),
            on_fail=told.on_fail,  # type: ignore[arg-type]  # pydantic looks
            seed=told.seed,
            frames=told.frames,
            seconds=told.seconds,
        )
    except ValidationError as error:
        hint = "Write: edgectl rollout start MODEL@VERSION --pipelines P --name NAME; see --help"
        raise ConfigInvalid(_OP, told.model, first_problem(error), hint) from error


def _name(model: str, taken: Sequence[str]) -> str:
    """Make a rollout's name of its model's, that no other has."""
    base = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")[:50]
    names = (base if number == 1 else f"{base}-{number}" for number in range(1, len(taken) + 2))
    return next(one for one in names if one not in taken)


def seconds(option: str, text: str) -> float:
    """Read a duration: ``90s``, ``30m``, ``2h``, ``1d``.

    Raises:
        ConfigInvalid: it is none, or longer than a year.
    """
    value = span(text.strip())
    if value is None or value > _MOST_S:
        raise ConfigInvalid(_OP, f"{option} {text!r}", "no duration", "Write 90s, 30m, 2h or 1d")
    return value


def share(option: str, text: str) -> float:
    """Read a share: ``2%``; give it as a number from 0 to 1.

    Raises:
        ConfigInvalid: it is none.
    """
    found = _SHARE.fullmatch(text.strip())
    if found is None or float(found[1]) > 100:
        raise ConfigInvalid(_OP, f"{option} {text!r}", "no share", "Write a percentage: 0%, 2%, 0.5%")
    return float(found[1]) / 100


def waves(text: str) -> tuple[str, ...]:
    """Read the waves: how many devices, or which share of all, have the model when each is over.

    Raises:
        ConfigInvalid: one is neither, they do not grow, or the last is not all.
    """
    found = tuple(one.strip() for one in text.split(","))
    hint = "Write how many have the model after each wave, and all at last: 1,10%,50%,100%"
    subject = f"--waves {text!r}"
    if not all(_count(one) or _SHARE.fullmatch(one) for one in found):
        raise ConfigInvalid(_OP, subject, "a wave is a number of devices above 0, or a percentage", hint)
    if found[-1] != "100%" or len(found) > 32:
        raise ConfigInvalid(_OP, subject, "the last wave must be 100%, and there may be 32", hint)
    shares = [share("--waves", one) for one in found if one.endswith("%")]
    counts = [int(one) for one in found if not one.endswith("%")]
    if any(rest <= one for kind in (shares, counts) for one, rest in pairwise(kind)):
        raise ConfigInvalid(_OP, subject, "each wave must reach more devices than the one before", hint)
    return found


def sizes(found: tuple[str, ...], devices: int) -> tuple[int, ...]:
    """Give how many devices each wave adds; one that would add none, in a small fleet, goes.

    Args:
        found: as ``waves`` gives them.
        devices: how many there are, at least 1.
    """
    added, reached = [], 0
    for one in found:
        goal = math.ceil(share("--waves", one) * devices - 1e-9) if one.endswith("%") else int(one)
        goal = min(goal, devices)
        if goal > reached:
            added.append(goal - reached)
            reached = goal
    return tuple(added)


def condition(text: str) -> Condition:
    """Read a condition on which a rollout halts: ``p95 > 1.3x``, ``temperature > 80``, ``failed > 2%``.

    Raises:
        ConfigInvalid: it is none.
    """
    found = _CONDITION.fullmatch(text.strip())
    known = get_args(Metric)
    if found is None or found[1] not in known:
        hint = f"Write METRIC > NUMBER, or < and x or %, such as 'p95 > 1.3x'; metrics: {', '.join(known)}"
        raise ConfigInvalid(_OP, f"--abort {text!r}", "no condition", hint)
    metric, sign, number, unit = found.groups()
    if unit == "x" and metric not in _RELATIVE:
        hint = "x is for p50, p95 and fps: give a number"
        raise ConfigInvalid(_OP, f"--abort {text!r}", "it is not compared with what it was before", hint)
    if (unit == "%") != (metric in _SHARES):
        hint = "Write 'failed > 2%', 'p95 > 40' (ms), 'temperature > 80' (degrees Celsius)"
        raise ConfigInvalid(_OP, f"--abort {text!r}", "% goes with failed and dropped, and only there", hint)
    limit = float(number) / (100 if unit == "%" else 1)
    relative = unit == "x"
    words = " ".join(text.split())[:100]
    return Condition.model_validate(
        {"metric": metric, "above": sign == ">", "limit": limit, "relative": relative, "text": words}
    )


def _count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 8 and int(text) > 0
