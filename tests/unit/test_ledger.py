from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agent.ledger import MOST_REASONS, OTHER, Ledger

COUNTS = st.integers(min_value=0, max_value=10**9)
REASONS = st.dictionaries(st.sampled_from(["overwritten", "rate", "decode", "invoke"]), COUNTS)


@st.composite
def balanced_ledgers(draw: st.DrawFn) -> Ledger:
    """Accounts as a worker keeps them: settled and in flight add up to captured."""
    accounts = Ledger(
        inferred=draw(COUNTS),
        filtered=draw(REASONS),
        gated=draw(COUNTS),
        dropped=draw(REASONS),
        failed=draw(REASONS),
        lost=draw(COUNTS),
        in_flight=draw(COUNTS),
    )
    return replace(accounts, captured=accounts.settled + accounts.in_flight)


def test_a_new_ledger_is_balanced() -> None:
    assert Ledger().balanced


@given(balanced_ledgers(), st.sampled_from(["captured", "inferred", "gated", "lost", "in_flight"]))
def test_one_frame_in_one_account_too_many_unbalances(ledger: Ledger, account: str) -> None:
    assert ledger.balanced
    assert not replace(ledger, **{account: getattr(ledger, account) + 1}).balanced


@given(balanced_ledgers())
def test_a_reason_counts_into_the_balance(ledger: Ledger) -> None:
    assert not replace(ledger, filtered={**ledger.filtered, "another": 1}).balanced
    assert not replace(ledger, dropped={**ledger.dropped, "another": 1}).balanced
    assert not replace(ledger, failed={**ledger.failed, "another": 1}).balanced


@given(balanced_ledgers(), balanced_ledgers())
def test_the_sum_of_two_stretches_is_balanced_and_adds_each_account(one: Ledger, two: Ledger) -> None:
    both = one + two
    assert both.balanced
    for account in ("captured", "inferred", "gated", "lost", "in_flight", "settled"):
        assert getattr(both, account) == getattr(one, account) + getattr(two, account)
    for account in ("filtered", "dropped", "failed"):
        counts, left, right = (getattr(ledger, account) for ledger in (both, one, two))
        assert counts.keys() == left.keys() | right.keys()
        assert all(counts[reason] == left.get(reason, 0) + right.get(reason, 0) for reason in counts)


@given(balanced_ledgers())
def test_adding_an_empty_ledger_changes_nothing(ledger: Ledger) -> None:
    assert ledger + Ledger() == ledger
    assert Ledger() + ledger == ledger


@given(balanced_ledgers(), COUNTS)
def test_a_crash_leaves_a_balanced_ledger_with_nothing_in_flight(ledger: Ledger, captured: int) -> None:
    closed = ledger.closed_by_crash(captured)
    assert closed.balanced
    assert closed.in_flight == 0
    assert closed.captured == max(captured, ledger.captured)
    assert closed.settled >= ledger.settled


@given(balanced_ledgers(), st.integers(min_value=0, max_value=1000))
def test_a_crash_loses_what_was_in_flight_and_what_was_captured_since(ledger: Ledger, since: int) -> None:
    closed = ledger.closed_by_crash(ledger.captured + since)
    assert closed.lost == ledger.lost + ledger.in_flight + since
    assert closed.inferred == ledger.inferred


@given(balanced_ledgers())
def test_json_gives_back_the_same_ledger(ledger: Ledger) -> None:
    assert Ledger(**json.loads(json.dumps(ledger.to_json()))) == ledger


@given(balanced_ledgers())
def test_a_ledger_without_an_account_of_filters_reads_as_none(ledger: Ledger) -> None:
    told = replace(ledger, filtered={}).to_json()
    del told["filtered"]
    assert Ledger(**told) == replace(ledger, filtered={})


def test_reasons_that_a_worker_makes_up_in_each_of_its_lives_are_bounded_and_every_frame_counts() -> None:
    whole = Ledger(captured=1, dropped={"overwritten": 1})
    for life in range(9):
        made_up = {f"{life}/{n}": 1 for n in range(32)}
        whole += Ledger(captured=96, filtered=made_up, dropped=made_up, failed=made_up)
    for account in (whole.filtered, whole.dropped, whole.failed):
        assert len(account) <= MOST_REASONS + 1
        assert account[OTHER] >= 9 * 32 - MOST_REASONS
    assert whole.balanced
    assert [whole.dropped[name] for name in ("overwritten", "0/7")] == [1, 1]


def test_who_has_settled_more_than_was_captured_has_lost_nothing() -> None:
    closed = Ledger(captured=2, inferred=5).closed_by_crash(3)
    assert (closed.captured, closed.lost, closed.balanced) == (5, 0, True)
