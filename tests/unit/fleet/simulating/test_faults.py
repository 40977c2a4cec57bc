"""Which simulated device has which fault: by the seed, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigInvalid
from agent.fleet.simulating.enrolling import names
from agent.fleet.simulating.faults import FAULTS, Traits, draw, parse

if TYPE_CHECKING:
    from agent.fleet.simulating.faults import Fault

SHARES = st.dictionaries(st.sampled_from(FAULTS), st.floats(0, 1))


@given(st.integers(), st.integers(1, 40), SHARES, st.sampled_from(FAULTS))
def test_the_same_seed_has_the_same_faults_whatever_others_there_are(
    seed: int, count: int, shares: dict[Fault, float], fault: Fault
) -> None:
    devices = names("sim", count)
    assert draw(devices, shares, seed) == draw(devices, shares, seed)
    share = shares.get(fault, 0.0)
    alone = draw(devices, {fault: share}, seed)
    ill = [name for name, traits in alone.items() if traits != Traits()]
    assert len(ill) == int(count * share + 0.5)
    together = draw(devices, shares, seed)
    assert all(together[name] != Traits() for name in ill)


def test_another_seed_has_other_faults() -> None:
    devices = names("sim", 100)
    ill = [
        frozenset(n for n, t in draw(devices, {"bad": 0.1}, seed).items() if t != Traits()) for seed in (1, 2)
    ]
    assert ill[0] != ill[1]


def test_each_fault_shows_in_its_own_way() -> None:
    (bad,) = draw(["a"], {"bad": 1}, 1).values()
    assert bad.refuses is not bad.fails
    (all_at_once,) = draw(["a"], dict.fromkeys(FAULTS, 1.0), 1).values()
    assert all(
        (
            all_at_once.crashes_s,
            all_at_once.late_s,
            all_at_once.online_s,
            all_at_once.away_s,
            all_at_once.bytes_per_s,
            all_at_once.clock_s,
        )
    )


def test_shares_are_per_cents_or_parts() -> None:
    assert parse(["bad=3%", "slow-link=0.05"]) == {"bad": 0.03, "slow-link": 0.05}


@pytest.mark.parametrize("word", ["good=3%", "bad", "bad=", "bad=some", "bad=101%", "bad=-1", "bad=nan"])
def test_what_names_no_fault_and_share_is_refused(word: str) -> None:
    with pytest.raises(ConfigInvalid, match="--fault"):
        parse([word])
