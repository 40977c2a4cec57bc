from __future__ import annotations

from typing import Any

import orjson
import pytest

from agent.errors import MessageInvalid
from agent.metering import Meter
from agent.workers.messages import Results, parse
from agent.workers.record import Record


def run(meter: Meter, fps: float, seconds: float, start: float = 1000.0) -> float:
    """Add one inference at a time; give the time of the last."""
    count = round(fps * seconds)
    for number in range(count):
        meter.add(start + number / fps, [1000])
    return start + (count - 1) / fps


@pytest.mark.parametrize("fps", [1, 2, 30, 1000])
@pytest.mark.parametrize("seconds", [3, 20])
def test_a_steady_rate_is_measured(fps: int, seconds: int) -> None:
    meter = Meter()
    now = run(meter, fps, seconds)
    assert meter.fps(now) == pytest.approx(fps, rel=0.01)


def test_results_that_come_in_packets_are_measured_the_same() -> None:
    meter = Meter()
    for number in range(100):
        meter.add(1000 + number / 10, [500] * 30)
    assert meter.fps(1009.9) == pytest.approx(300, rel=0.01)


def test_a_change_of_rate_shows_within_the_window() -> None:
    meter = Meter()
    now = run(meter, 100, 10)
    now = run(meter, 10, 6, start=now + 0.1)
    assert meter.fps(now) == pytest.approx(10, rel=0.05)


def test_a_rate_sinks_while_nothing_comes_and_is_then_zero() -> None:
    meter = Meter()
    now = run(meter, 30, 10)
    assert 0 < meter.fps(now + 3) < 30 * 0.7
    assert meter.fps(now + 10) == 0


def test_a_pipeline_that_comes_back_is_not_measured_over_its_pause() -> None:
    meter = Meter()
    now = run(meter, 30, 10)
    now = run(meter, 30, 2, start=now + 60)
    assert meter.fps(now) == pytest.approx(30, rel=0.05)


def test_nothing_is_no_rate_and_no_latency() -> None:
    meter = Meter()
    assert (meter.fps(1000), meter.percentile_ms(0.5)) == (0, 0)
    meter.add(1000, [])
    assert (meter.fps(1000), meter.fps(1001), meter.percentile_ms(0.5)) == (0, 0, 0)
    meter.add(1002, [700])
    assert meter.percentile_ms(0.99) == 0.7


def test_percentiles_are_of_the_recent_inferences() -> None:
    meter = Meter()
    meter.add(1, list(range(1000, 0, -1)))
    assert meter.percentile_ms(0) == 0.001
    assert meter.percentile_ms(0.5) == pytest.approx(0.5, abs=0.002)
    assert meter.percentile_ms(0.99) == pytest.approx(0.99, abs=0.002)
    assert meter.percentile_ms(1) == 1
    meter.add(2, [9000] * 100_000)
    assert meter.percentile_ms(0) == 9


def test_memory_stays_bounded() -> None:
    meter = Meter()
    run(meter, 1000, 20)
    assert len(meter._infer_us) <= 2048
    assert len(meter._marks) < 30


def record(items: list[dict[str, Any]], frame: int = 7) -> Record:
    return Record(frame=frame, captured_ns=0, kind="detection", items=items)


def test_the_newest_result_is_told_with_its_age() -> None:
    meter = Meter()
    assert meter.last(1.0) is None
    meter.saw(1.0, record([{"label": "star", "score": 0.9}], frame=6))
    meter.saw(2.0, record([]))
    assert meter.last(2.25) == {"frame": 7, "kind": "detection", "items": [], "more": 0, "age_s": 0.25}


def test_ten_items_are_told_and_the_others_counted() -> None:
    meter = Meter()
    meter.saw(1.0, record([{"index": index} for index in range(25)]))
    last = meter.last(1.0)
    assert last is not None
    assert [item["index"] for item in last["items"]] == list(range(10))
    assert last["more"] == 15


def test_long_items_are_counted_and_not_told() -> None:
    meter = Meter()
    meter.saw(1.0, record([{"text": "x" * 1000}, {"text": "y" * 1000}, {"text": "z" * 1000}]))
    last = meter.last(1.0)
    assert last is not None
    assert [item["text"][0] for item in last["items"]] == ["x", "y"]
    assert last["more"] == 1


def test_the_deepest_item_that_a_worker_may_send_can_be_told() -> None:
    def packet(depth: int) -> bytes:
        item = b'{"x":' + b"[" * depth + b"]" * depth + b"}"
        head = (
            b'{"type":"results","ledger":{},"records":[{"frame":0,"captured_ns":0,"kind":"tensor","items":['
        )
        return head + item + b"]}]}"

    deepest = 0
    for depth in range(1, 400):
        try:
            message = parse(packet(depth))
        except MessageInvalid:
            break
        assert isinstance(message, Results)
        meter = Meter()
        meter.saw(1.0, message.records[0])
        assert orjson.dumps({"pipelines": [{"last": meter.last(1.0)}]})
        deepest = depth
    assert 50 < deepest < 399
