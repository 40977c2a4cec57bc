"""The demo's account: what it adds up, what it calls good, what it says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.demo.account import Counted, Tally, percentile_ms
from agent.demo.deeds import Deeds
from agent.demo.rollouts import Refusal
from agent.demo.served import Served
from agent.demo.verdict import Account
from agent.ledger import Ledger

GOOD = Tally(
    ledger=Ledger(captured=100, inferred=95, dropped={"overwritten": 3}, lost=2),
    stored=95,
    frames=95,
    failures=0,
    infer_us=Counter({1000: 90, 5000: 5}),
)
SLOW = replace(GOOD, ledger=Ledger(captured=5, inferred=5), stored=5, frames=5, infer_us=Counter({9000: 5}))
KEYS = [
    *("frames", "inferred", "filtered", "gated", "dropped", "failed", "lost_frames", "in_flight"),
    *("results", "stored", "missing", "duplicated", "ledger_balanced", "worker_restarts"),
    *("fps", "infer_p50_ms", "infer_p99_ms"),
]


WORDS = "fetch shapes.tflite: chunks 0 came damaged 3 times, or not at all. Put it back with: edgectl heal"
REFUSAL = Refusal("shapes@1.0.1", "b" * 64, WORDS)
DONE = Deeds(1, {"rolled out": True, "refused": True}, [REFUSAL], frozenset({"a" * 64}))
SERVED = Served("shapes@0.9.0", "shapes@1.0.0", 0, frozenset({"a" * 64}))


def account(
    one: Tally = GOOD, two: Tally = SLOW, *, missing: int = 0, served: Served = SERVED, deeds: Deeds = DONE
) -> Account:
    counted = Counted(
        accepted=one.stored + two.stored + missing,
        acked=100,
        missing=missing,
        pipelines={"shapes": one, "vibration": two},
        served=served,
    )
    return Account.of(
        counted,
        seconds=10.0,
        restarts={"shapes": 1, "vibration": 0},
        first_detection_s=2.5,
        broker="mosquitto",
        deeds=deeds,
    )


def test_counts_are_given_for_each_pipeline_and_summed_over_all() -> None:
    told = account().to_json()
    assert list(told["pipelines"]) == ["shapes", "vibration"]
    assert [list(one) for one in told["pipelines"].values()] == [KEYS, KEYS]
    assert (told["frames"], told["inferred"], told["dropped"], told["lost_frames"]) == (105, 100, 3, 2)
    assert (told["results"], told["stored"], told["missing"], told["duplicated"]) == (100, 100, 0, 0)
    assert (told["worker_restarts"], told["broker_cuts"], told["first_detection_s"]) == (1, 1, 2.5)
    assert told["pipelines"]["shapes"]["fps"] == 9.5
    assert told["fps"] == 10.0
    assert told["pipelines"]["vibration"]["infer_p50_ms"] == 9.0
    assert (told["infer_p50_ms"], told["infer_p99_ms"]) == (1.0, 9.0)
    assert told["ledger_balanced"] is True


def test_a_pipeline_misses_what_its_ledger_calls_inferred_and_nobody_has() -> None:
    told = account(two=replace(SLOW, stored=3, frames=3)).to_json()["pipelines"]
    assert (told["shapes"]["missing"], told["vibration"]["missing"]) == (0, 2)


def test_what_arrived_once_and_adds_up_is_good() -> None:
    assert account().good


@pytest.mark.parametrize(
    "bad",
    [
        replace(GOOD, stored=94, frames=94),
        replace(GOOD, stored=96),
        replace(GOOD, stored=96, frames=96),
        replace(GOOD, ledger=replace(GOOD.ledger, lost=1)),
        replace(GOOD, ledger=replace(GOOD.ledger, lost=1, in_flight=1)),
        replace(GOOD, stored=96, failures=1),
        Tally(Ledger(), 0, 0, 0, Counter()),
    ],
    ids=[
        "missing",
        "twice",
        "more than inferred",
        "unbalanced",
        "in flight",
        "failure unheard of",
        "nothing",
    ],
)
def test_one_bad_pipeline_makes_all_bad(bad: Tally) -> None:
    for made in (account(one=bad), account(two=bad)):
        assert not made.good
        assert "SOMETHING IS WRONG" in made.for_people("edge-agent")


def test_a_missing_sequence_number_is_bad_whatever_the_ledgers_say() -> None:
    made = account(missing=1)
    assert not made.good
    assert (made.results, made.stored, made.missing) == (101, 100, 1)


def test_a_failed_frame_with_its_reason_stored_is_no_missing_one() -> None:
    ledger = replace(GOOD.ledger, captured=101, failed={"decode": 1})
    assert account(one=replace(GOOD, ledger=ledger, stored=96, failures=1)).good


def test_people_read_a_block_a_pipeline_the_verdict_and_what_to_do_with_a_camera() -> None:
    text = account().for_people(".venv/bin/edge-agent")
    assert max(map(len, text.splitlines())) <= 80
    assert "shapes     100 captured = 95 inferred + 0 gated + 3 dropped + 0 failed + 2 lost" in text
    assert "vibration  5 captured = 5 inferred" in text
    assert "so         every result arrived exactly once, and every frame is accounted for" in text
    for verb in ("init", "check --config", "run --config", "infer shapes PICTURE --draw out/", "doctor"):
        assert f".venv/bin/edge-agent {verb}" in text


def test_what_a_filter_held_back_has_its_account_and_is_not_missing() -> None:
    ledger = Ledger(captured=100, inferred=60, filtered={"debounce": 30, "change": 5}, gated=5)
    made = account(one=replace(GOOD, ledger=ledger, stored=60, frames=60))
    assert made.good
    assert (made.filtered, made.pipelines["shapes"].filtered, made.missing) == (35, 35, 0)
    text = made.for_people("edge-agent")
    assert "100 captured = 60 inferred + 35 filtered + 5 gated + 0 dropped + 0 failed + 0 lost" in text


def test_what_became_of_the_models_stands_beside_the_other_numbers() -> None:
    told = account().to_json()
    assert (told["model_before"], told["model_after"]) == ("shapes@0.9.0", "shapes@1.0.0")
    assert (told["rolled_out"], told["frames_lost_in_swap"]) == (True, 0)
    assert (told["tampered_refused"], told["tampered_reason"]) == (True, WORDS)
    text = account().for_people("edge-agent")
    assert "models     shapes@0.9.0, then shapes@1.0.0: 0 frames lost in the swap" in text
    assert "tampered   refused; the device says: fetch shapes.tflite: chunks 0 came damaged" in text


def test_what_was_not_done_to_the_models_is_null_and_no_fault() -> None:
    made = account(served=Served("shapes@0.9.0", "shapes@0.9.0", None), deeds=Deeds())
    told = made.to_json()
    keys = ("rolled_out", "frames_lost_in_swap", "tampered_refused", "tampered_reason")
    assert [told[key] for key in keys] == [None] * 4
    assert made.good
    assert "models" not in made.for_people("edge-agent")


@pytest.mark.parametrize(
    ("served", "deeds"),
    [
        (SERVED, replace(DONE, outcomes={"rolled out": False})),
        (SERVED, replace(DONE, outcomes={"refused": False}, refusals=[])),
        (replace(SERVED, after="shapes@0.9.0", lost=None), DONE),
        (replace(SERVED, lost=1), DONE),
        (SERVED, replace(DONE, stored=frozenset({REFUSAL.digest}))),
        (replace(SERVED, bundles=frozenset({REFUSAL.digest})), DONE),
    ],
    ids=["not rolled out", "taken", "never served", "lost a frame", "on the disk", "has answered"],
)
def test_a_model_that_does_not_serve_or_should_not_is_bad(served: Served, deeds: Deeds) -> None:
    made = account(served=served, deeds=deeds)
    assert not made.good
    assert "SOMETHING IS WRONG" in made.for_people("edge-agent")


@given(st.lists(st.integers(0, 10_000), min_size=1), st.floats(0, 1))
def test_a_percentile_is_what_the_sorted_list_says(values: list[int], share: float) -> None:
    wanted = sorted(values)[min(len(values) - 1, int(share * len(values)))]
    assert percentile_ms(Counter(values), share) == wanted / 1000


def test_nothing_has_no_percentile() -> None:
    assert percentile_ms({}, 0.5) == 0
