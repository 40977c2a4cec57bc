"""Which devices need somebody, and why: pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.fleet.looking.facts import GONE_WRONG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.fleet.looking.facts import Facts

REASONS = (
    "unknown", "unproved", "offline", "stale", "problem", "rejected", "overdue", "hot", "backlog", "metadata",
    "certificate",
)  # fmt: skip
"""Why a row is red, the most urgent first."""
_BAD_LANES = frozenset(("backoff", "fatal", "stuck"))


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on something is red.

    Attributes:
        stale_s: so long it has said nothing though the broker calls it online, seconds.
        hot_c: so hot it is, degrees Celsius.
        old_s: so long the oldest record waits for the collector, seconds.
        ends_s: so soon its certificate ends, seconds.
        unsigned_s: so soon its update metadata expires, which a timer signs anew every day, seconds.
    """

    stale_s: float = 300.0
    hot_c: float = 80.0
    old_s: float = 3600.0
    ends_s: float = 90 * 86400.0
    unsigned_s: float = 4 * 86400.0


def judge(facts: Facts, limits: Limits, now_s: float) -> dict[str, str]:
    """Say what is red about a device, and in words why; nothing where it does well.

    Args:
        facts: of the device.
        limits: from when on.
        now_s: wall time, seconds since 1970.
    """
    return {reason: words for check in _CHECKS for reason, words in check(facts, limits, now_s)}


def _presence(facts: Facts, limits: Limits, now_s: float) -> Iterator[tuple[str, str]]:
    if facts.unproved:
        yield "unproved", facts.unproved
    if facts.online is None and not facts.at:
        yield "unknown", "nothing is heard of it"
    elif not facts.online:
        yield "offline", "offline"
    elif (age := age_s(facts, now_s)) is not None and age > limits.stale_s:
        yield "stale", f"said nothing for {spoken(age)}"


def _pipelines(facts: Facts, limits: Limits, now_s: float) -> Iterator[tuple[str, str]]:
    del limits, now_s
    bad = [one for one in facts.pipelines if one.problem or one.state in _BAD_LANES]
    said = [f"{one.name}: {one.problem or one.state}" for one in bad] + (
        [facts.problem] if facts.problem else []
    )
    if said:
        yield "problem", "; ".join(said)


def _wishes(facts: Facts, limits: Limits, now_s: float) -> Iterator[tuple[str, str]]:
    del limits, now_s
    wrong = [f"{one.what}: {one.state} {one.reason}" for one in facts.troubles if one.state in GONE_WRONG]
    if wrong:
        yield "rejected", "; ".join(wrong).strip()
    late = [f"{one.what}: overdue {one.reason}" for one in facts.troubles if one.overdue]
    if late:
        yield "overdue", "; ".join(late).strip()


def _measures(facts: Facts, limits: Limits, now_s: float) -> Iterator[tuple[str, str]]:
    if facts.temperature_c is not None and facts.temperature_c >= limits.hot_c:
        yield "hot", f"{facts.temperature_c:.0f} °C"
    if facts.backlog and facts.oldest_s >= limits.old_s:
        yield "backlog", f"the oldest record waits for {spoken(facts.oldest_s)}"
    if 0 < facts.metadata_until <= now_s + limits.unsigned_s:
        left_s = facts.metadata_until - now_s
        when = f"expires in {spoken(left_s)}" if left_s > 0 else "has expired"
        yield "metadata", f"its update metadata {when}: edgectl resign"
    if facts.certificate_until and facts.certificate_until - now_s <= limits.ends_s:
        left_s = facts.certificate_until - now_s
        when = f"ends in {spoken(left_s)}" if left_s > 0 else "has ended"
        yield "certificate", f"its certificate {when}: edgectl renew"


def age_s(facts: Facts, now_s: float) -> float | None:
    """Say how long ago it has said something; None where its clock does not tell."""
    return max(0.0, now_s - facts.at) if facts.at and facts.synced is not False else None


def spoken(seconds: float) -> str:
    """Say a span of time in its largest unit, as "3 h"."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


_CHECKS: tuple[Callable[[Facts, Limits, float], Iterator[tuple[str, str]]], ...] = (
    _presence,
    _pipelines,
    _wishes,
    _measures,
)
