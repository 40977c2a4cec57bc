"""What is wrong with which simulated device: drawn from a seed, the same for the same names. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Literal, get_args

from agent.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Fault = Literal["bad", "offline", "late", "slow-link", "wrong-clock", "crashing-model"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
_DAY_S = 86400.0
_MOST_DAYS = 3650.0


@dataclass(frozen=True, slots=True)
class Traits:
    """What is wrong with one device; by itself nothing is. Times are seconds.

    Attributes:
        refuses: a new model does not meet its golden answers there.
        fails: a new model fails its probation there.
        crashes_s: a new model's worker dies so long after it has begun to serve; 0 never.
        late_s: when the device joins.
        online_s, away_s: it goes away after so long, for so long, again and again; 0 never.
        bytes_per_s: what its link carries; 0 without a bound.
        clock_s: how far its wall clock is off; then it is not synchronised, either.
    """

    refuses: bool = False
    fails: bool = False
    crashes_s: float = 0.0
    late_s: float = 0.0
    online_s: float = 0.0
    away_s: float = 0.0
    bytes_per_s: int = 0
    clock_s: float = 0.0


def parse(words: Iterable[str]) -> dict[Fault, float]:
    """Read ``name=share`` of the command line, the share as ``3%`` or ``0.03``.

    Raises:
        ConfigInvalid: there is no such fault, or the share is none.
    """
    found: dict[Fault, float] = {}
    for word in words:
        name, _, share = word.partition("=")
        fault = next((one for one in FAULTS if one == name), None)
        if fault is None:
            raise ConfigInvalid(
                "simulate", f"--fault {word!r}", "there is no such fault", f"There are: {', '.join(FAULTS)}"
            )
        try:
            part = float(share.removesuffix("%")) / (100 if share.endswith("%") else 1)
        except ValueError:
            part = -1.0
        if not 0 <= part <= 1:
            hint = "Give a share of the devices, as bad=3% or bad=0.03"
            raise ConfigInvalid("simulate", f"--fault {word!r}", "it names no share", hint)
        found[fault] = part
    return found


def draw(names: Sequence[str], shares: Mapping[Fault, float], seed: int) -> dict[str, Traits]:
    """Give the traits of each device.

    Of ``n`` devices ``share * n`` have a fault, rounded to the nearest whole number: those whose names come
    first by a hash of seed, fault and name. So the same seed and names have the same faults, whatever other
    faults there are and in which process a device runs.
    """
    chosen = {fault: _chosen(names, fault, share, seed) for fault, share in shares.items()}
    return {
        name: _traits(name, [fault for fault in FAULTS if name in chosen.get(fault, ())], seed)
        for name in names
    }


def rng(seed: int, *words: str) -> Random:
    """Give a source of chance that hangs on these alone."""
    return Random(f"{seed}/{'/'.join(words)}")  # noqa: S311 - a simulation, no secret


def _chosen(names: Sequence[str], fault: Fault, share: float, seed: int) -> frozenset[str]:
    count = int(len(names) * share + 0.5)
    ranked = sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{fault}/{name}".encode()).digest())
    return frozenset(ranked[:count])


def _traits(name: str, faults: Sequence[Fault], seed: int) -> Traits:
    found: dict[str, float | bool | int] = {}
    for fault in faults:
        chance = rng(seed, name, fault)
        match fault:
            case "bad":
                found["refuses" if chance.random() < 0.5 else "fails"] = True
            case "offline":
                found |= {"online_s": chance.uniform(10, 60), "away_s": chance.uniform(5, 30)}
            case "late":
                found["late_s"] = chance.uniform(5, 60)
            case "slow-link":
                found["bytes_per_s"] = int(chance.uniform(2_000, 16_000))
            case "wrong-clock":
                days = chance.uniform(1, _MOST_DAYS)
                found["clock_s"] = days * _DAY_S * chance.choice((-1, 1))
            case "crashing-model":
                found["crashes_s"] = chance.uniform(0.5, 3)
    return Traits(**found)  # type: ignore[arg-type]  # each under its own name
