"""What ``edgectl verify`` finds, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agent.errors import AgentError, LinkLost
from agent.fleet.progress import bar
from agent.fleet.repository.catalog import Local, blobs
from agent.fleet.repository.roles import SIGNED_TARGETS
from agent.fleet.repository.stranger import Seen
from agent.fleet.repository.stranger import look as prove
from agent.fleet.repository.work import at_work
from agent.published import file_name
from agent.wording import plain

if TYPE_CHECKING:
    from pathlib import Path

    from agent.fleet.broker import Broker
    from agent.updater.seams import Shelf


_LONGEST = 1000


def look(folder: Path, broker: Broker | None, *, shown: bool) -> dict[str, Seen]:
    """Look at the folder, and at the broker where one is given; give what was found by the place's name.

    Raises:
        AgentError: there is no repository, or the broker is away.
    """
    with at_work(folder, None, broker, shown=shown, compare=False) as work:
        root = work.repository.tree.meta(file_name("root", 1)).read_bytes()
        size = sum(piece.size for piece in blobs(work.repository))
        found = {"folder": _seen(Local(work.repository), root, size, shown=shown)}
        if work.wire is not None and broker is not None:
            found[broker.host] = _seen(work.wire.shelf, root, size, shown=shown)
            ours, theirs = found["folder"].versions, found[broker.host].versions
            if ours and theirs and _differ(ours, theirs):
                told = f"it has timestamp {theirs['timestamp']}, and the folder {ours['timestamp']}"
                found[broker.host].problems.append(f"{told}. Run: edgectl heal")
        return found


def facts(found: dict[str, Seen]) -> dict[str, Any]:
    """Give it for programs."""
    ok = not any(seen.problems for seen in found.values())
    kept = ("versions", "expires", "bundles", "bytes", "problems")
    places = {place: {key: asdict(seen)[key] for key in kept} for place, seen in found.items()}
    return {"ok": ok, "places": places}


def lines(found: dict[str, Seen]) -> list[str]:
    """Give it for people."""
    text = []
    for place, seen in found.items():
        told = f"{len(seen.problems)} problems" if seen.problems else "all is well"
        text.append(f"{place}: {told}; {len(seen.bundles)} bundles, {seen.bytes:,} bytes")
        text += [
            f"  {role:<10}{version:>6}  expires {seen.expires[role][:16]}"
            for role, version in seen.versions.items()
        ]
        text += [f"  {title}  {digest[:12]}" for title, digest in sorted(seen.bundles.items())]
        text += [f"  PROBLEM: {plain(one, _LONGEST)}" for one in seen.problems]
    return text


def _differ(ours: dict[str, int], theirs: dict[str, int]) -> bool:
    """Say whether the broker has something else; no news is what a timer has signed anew elsewhere since."""
    same = all(ours.get(role) == theirs[role] for role in ("root", *SIGNED_TARGETS))
    return not same or theirs["timestamp"] < ours["timestamp"]


def _seen(shelf: Shelf, root: bytes, size: int, *, shown: bool) -> Seen:
    """Look at one place; metadata that does not hold together is a problem of it, too."""
    try:
        with bar("looking", size, shown=shown) as step:
            return prove(shelf, root, step)
    except LinkLost:
        raise
    except AgentError as error:
        return Seen(problems=[str(error)])
