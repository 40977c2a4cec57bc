"""What ``edgectl rollout`` shows: for people, and as JSON for what drives it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from agent.fleet.progress import moving
from agent.fleet.rollouts import limits
from agent.wording import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.fleet.rollouts.record import Member, Rollout

    Show = Callable[[Rollout], None]

_REASON = 300
_NAMED = 20


def as_json(rollout: Rollout) -> str:
    """Give one JSON object: docs/cli.md explains it."""
    plan = rollout.plan
    return orjson.dumps(
        {
            "name": plan.name,
            "model": str(plan.model),
            "pipelines": plan.pipelines,
            "state": rollout.state,
            "wave": rollout.wave + 1,
            "waves": [_told(members) for members in _waves(rollout)],
            "devices": {name: _device(one) for name, one in rollout.members.items()},
            "left_out": rollout.left_out,
            "unknown": rollout.unknown,
            "reason": rollout.reason,
            "worked_on": rollout.lease.model_dump(include={"host", "pid"}) if rollout.lease else None,
        }
    ).decode()


def row(rollout: Rollout) -> dict[str, Any]:
    """Give what a list of rollouts says of one."""
    plan = rollout.plan
    return {
        "name": plan.name,
        "model": str(plan.model),
        "pipelines": plan.pipelines,
        "state": rollout.state,
        "wave": rollout.wave + 1,
        "waves": len(rollout.sizes),
        "devices": len(rollout.members),
    }


def line(rollout: Rollout) -> str:
    """Say in a line where it stands."""
    members = _waves(rollout)[rollout.wave]
    found = limits.counts(members)
    counts = ", ".join(f"{found[one]} {one}" for one in _ORDER if found[one] and one != "converged")
    wave = f"wave {rollout.wave + 1} of {len(rollout.sizes)}"
    text = f"{rollout.state}: {wave}, {found['converged']} of {len(members)} converged"
    text += f", {counts}" if counts else ""
    return f"{text}: {plain(rollout.reason, _REASON)}" if rollout.reason else text


def words(rollout: Rollout) -> str:
    """Give the whole for people."""
    plan = rollout.plan
    lines = [f"{plan.name}: {plan.model} for {', '.join(plan.pipelines)}: {rollout.state}"]
    if rollout.reason:
        lines.append(f"  {plain(rollout.reason, 2 * _REASON)}")
    for number, members in enumerate(_waves(rollout)):
        found = limits.counts(members)
        counts = ", ".join(f"{found[one]} {one}" for one in _ORDER if found[one])
        now = " <- now" if number == rollout.wave else ""
        lines.append(f"  wave {number + 1}: {len(members)} devices: {counts}{now}")
    bad = {name: one for name, one in rollout.members.items() if one.verdict in {"failed", "silent"}}
    lines += _listed("  ", {name: f"{one.verdict}: {one.reason}" for name, one in bad.items()})
    lines += _listed("  left out: ", rollout.left_out)
    lines += _listed("  taking part, has reported nothing: ", dict.fromkeys(rollout.unknown, ""))
    if rollout.lease:
        lines.append(f"  worked on by {rollout.lease.host}, process {rollout.lease.pid}")
    return "\n".join(lines)


@contextmanager
def following(name: str, *, json_lines: bool, quiet: bool) -> Iterator[Show]:
    """Show where a rollout stands: a line that moves on a terminal, else one a change, on standard error.

    Args:
        name: the rollout's.
        json_lines: write JSON on standard output instead, an object a change.
        quiet: show nothing.
    """
    if json_lines:
        yield _changes(lambda rollout: print(as_json(rollout), flush=True))
    elif quiet:
        yield lambda _: None
    elif not sys.stderr.isatty():
        yield _changes(lambda rollout: print(f"{name}: {line(rollout)}", file=sys.stderr, flush=True))
    else:
        with moving() as bar:
            task = bar.add_task(name, total=None)

            def show(rollout: Rollout) -> None:
                done = sum(one.verdict == "converged" for one in rollout.members.values())
                bar.update(
                    task, description=f"{name}: {line(rollout)}", completed=done, total=len(rollout.members)
                )

            yield show


_ORDER = ("converged", "waiting", "failed", "silent", "superseded", "excused")


def _changes(show: Show) -> Show:
    """Show it only where the line has changed."""
    last = ""

    def changed(rollout: Rollout) -> None:
        nonlocal last
        if (found := line(rollout)) != last:
            last = found
            show(rollout)

    return changed


def _waves(rollout: Rollout) -> list[dict[str, Member]]:
    found: list[dict[str, Member]] = [{} for _ in rollout.sizes]
    for name, one in rollout.members.items():
        found[one.wave][name] = one
    return found


def _told(members: dict[str, Member]) -> dict[str, int]:
    found = limits.counts(members)
    return {"devices": len(members), **{one: found[one] for one in _ORDER}}


def _device(one: Member) -> dict[str, Any]:
    return {
        "wave": one.wave + 1,
        "verdict": "excused" if one.excused else one.verdict,
        "reason": one.reason,
        "generation": one.generation,
    }


def _listed(head: str, found: dict[str, str]) -> list[str]:
    """Name some devices, and count the others."""
    lines = [
        f"{head}{name}: {plain(why, _REASON)}".rstrip(": ") for name, why in list(found.items())[:_NAMED]
    ]
    return [*lines, f"{head}and {len(found) - _NAMED} more"] if len(found) > _NAMED else lines
