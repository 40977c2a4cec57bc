from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.blocks import Block, pack, unpack
from agent.errors import MessageInvalid
from agent.ledger import Ledger
from agent.workers import messages
from agent.workers.messages import parse
from agent.workers.record import Record
from agent.workers.spec import LaneSpec
from tests.simulators.puppet_worker import READY

RECORD = {"frame": 3, "captured_ns": 5, "infer_us": 7, "kind": "detection", "items": [{"score": 0.5}]}
COUNTS = {
    "captured": 4,
    "inferred": 1,
    "gated": 0,
    "dropped": {"overwritten": 2},
    "failed": {},
    "in_flight": 1,
}
COSTS = ("p50_ms", "p95_ms", "rss_mb")
LENT = {"accelerator": "edgetpu", "generation": 3}
GOOD: list[dict[str, Any]] = [
    READY,
    {"type": "opened", "live": True},
    {"type": "lost", "problem": "unplugged"},
    {"type": "results", "ledger": COUNTS, "records": [RECORD]},
    {"type": "ended", "ledger": COUNTS, "remark": "over"},
    {
        "type": "fault",
        "error": "ConfigInvalid",
        "op": "a",
        "subject": "b",
        "problem": "c",
        "loc": ["source", 0],
    },
    {
        "type": "timings",
        "stages": {"infer": {"buckets": [[7, 2], [31, 1]], "sum_us": 45, "max_us": 31}},
    },
    {**READY, "type": "swapped", "token": 3, "bundle": "ab" * 32},
    {"type": "unswapped", "token": 3, "error": "ModelInvalid", "op": "a", "subject": "b", "problem": "c"},
    {
        **READY,
        "type": "proved",
        "bundle": "",
        "goldens": 5,
        "runs": 50,
        "p50_ms": 1.5,
        "p95_ms": 2.5,
        "rss_mb": 7.0,
    },
    {**LENT, "type": "accelerated", "delegate": "edgetpu", "delegated": [9, 12], "goldens": 4},
    {**LENT, "type": "incident", "kind": "overrun", "problem": "no answer", "twin": True, "good_ns": 5},
    {**LENT, "type": "regained", "kind": "overrun", "blind_us": 260_000},
    {**LENT, "type": "relieved", "reason": "unfit", "problem": "no variant"},
    {**LENT, "type": "retried", "problem": "device lost"},
    {"type": "unwell", "fault": "black", "problem": "the picture is black"},
    {"type": "refused", "reason": "unreadable", "problem": "a line holds no number"},
    {"type": "well", "fault": "black"},
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
HUGE = 1 << 70


def understood(packet: bytes) -> object:
    """Give what the packet says, or None when it is refused in one line: the only other way out."""
    try:
        return parse(packet)
    except MessageInvalid as error:
        lines = str(error).splitlines()
    assert len(lines) == 1
    return None


def changed(message: dict[str, Any], key: str, value: Any) -> bytes:
    return json.dumps({**message, key: value}).encode()


@pytest.mark.parametrize("message", GOOD, ids=lambda message: str(message["type"]))
def test_every_message_is_understood(message: dict[str, Any]) -> None:
    said = parse(orjson.dumps(message))
    assert said.type == message["type"]
    assert said.model_dump(mode="json", exclude_unset=True) == message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused_in_one_line(packet: bytes) -> None:
    understood(packet)


@given(JSON)
def test_any_json_is_a_message_or_refused_in_one_line(body: Any) -> None:
    understood(json.dumps(body).encode())


@settings(max_examples=200)
@given(st.sampled_from(GOOD), st.data())
def test_a_message_with_any_key_changed_is_understood_or_refused(
    message: dict[str, Any], data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from([*message, "other"]))
    understood(changed(message, key, data.draw(JSON)))


@given(st.sampled_from(GOOD), st.integers(0, 400))
def test_half_a_message_is_refused(message: dict[str, Any], length: int) -> None:
    packet = orjson.dumps(message)
    with pytest.raises(MessageInvalid):
        parse(packet[: min(length, len(packet) - 1)])


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_flipped_byte_is_understood_or_refused(at: int, byte: int) -> None:
    for message in GOOD:
        packet = bytearray(orjson.dumps(message))
        packet[at % len(packet)] = byte
        understood(bytes(packet))


@pytest.mark.parametrize("key", ["captured", "inferred", "gated", "in_flight"])
@pytest.mark.parametrize("value", [-1, 1 << 40, 1 << 53, HUGE, 0.5, "x", None, [1]])
def test_a_count_is_a_number_of_frames(key: str, value: Any) -> None:
    with pytest.raises(MessageInvalid, match=f"ledger.{key}"):
        parse(changed(GOOD[4], "ledger", {**COUNTS, key: value}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("frame", -1),
        ("frame", 1 << 53),
        ("captured_ns", 1 << 62),
        ("infer_us", -1),
        ("kind", "k" * 201),
        ("origin", "o" * 4097),
        ("items", {}),
        ("items", [1]),
        ("items", [{"x": HUGE}]),
        ("colour", 1),
    ],
)
def test_a_record_keeps_its_bounds(key: str, value: Any) -> None:
    with pytest.raises(MessageInvalid):
        parse(changed(GOOD[3], "records", [{**RECORD, key: value}]))


@pytest.mark.parametrize(
    ("message", "key", "value"),
    [
        (GOOD[0], "model", "m" * 201),
        (GOOD[0], "bundle", "x"),
        (GOOD[0], "bundle", f"{'ab' * 32}\n"),
        (GOOD[0], "stages", [{"name": "n", "model": "m", "sha256": "s", "bundle": "x", "task": "t"}]),
        (GOOD[0], "delegated", [1]),
        (GOOD[1], "live", None),
        (GOOD[2], "problem", "p" * 4001),
        (GOOD[3], "records", [RECORD] * 4097),
        (GOOD[3], "ledger", {**COUNTS, "dropped": {str(n): 1 for n in range(33)}}),
        (GOOD[3], "ledger", {**COUNTS, "failed": {"x": -1}}),
        (GOOD[3], "ledger", {**COUNTS, "lost": 1}),
        (GOOD[5], "loc", ["x"] * 33),
        (GOOD[5], "loc", [HUGE]),
        (GOOD[5], "type", "other"),
        (GOOD[6], "stages", {"other": {"buckets": [], "sum_us": 0, "max_us": 0}}),
        (GOOD[6], "stages", {"infer": {"buckets": [[831, 1]], "sum_us": 0, "max_us": 0}}),
        (GOOD[6], "stages", {"infer": {"buckets": [[1, 1 << 32]], "sum_us": 0, "max_us": 0}}),
        (GOOD[6], "stages", {"infer": {"buckets": [], "sum_us": HUGE, "max_us": 0}}),
        (GOOD[6], "stages", {"infer": {"buckets": [], "sum_us": 0, "max_us": 1_000_000_001}}),
    ],
)
def test_a_message_keeps_its_bounds(message: dict[str, Any], key: str, value: Any) -> None:
    with pytest.raises(MessageInvalid):
        parse(changed(message, key, value))


def test_a_deep_nest_is_refused() -> None:
    nest = b'{"type":"results","ledger":{},"records":[{"frame":1,"captured_ns":1,"kind":"x","items":[{"a":'
    with pytest.raises(MessageInvalid):
        parse(nest + b"[" * 5000 + b"]" * 5000 + b"}]}]}")


@given(st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=3), max_size=3), st.integers(0, 190))
def test_what_is_understood_can_be_stored(items: list[dict[str, Any]], depth: int) -> None:
    nest: Any = 1
    for _ in range(depth):
        nest = [nest]
    said = understood(changed(GOOD[3], "records", [{**RECORD, "items": [*items, {"nest": nest}]}]))
    if isinstance(said, messages.Results):
        data = pack([record.as_json() for record in said.records], {})
        assert len(unpack(Block(1, 1, data))[0]) == 1


def test_a_ledger_comes_out_as_it_went_in_and_a_worker_declares_no_losses() -> None:
    said = parse(orjson.dumps(GOOD[4]))
    assert isinstance(said, messages.Ended)
    assert said.ledger.ledger() == Ledger(captured=4, inferred=1, dropped={"overwritten": 2}, in_flight=1)
    assert "lost" not in messages.Counts.model_fields


def test_a_record_leaves_out_what_says_nothing() -> None:
    assert Record(**RECORD).as_json() == RECORD
    assert Record(**RECORD, origin="a.jpg").as_json() == {**RECORD, "origin": "a.jpg"}


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers() | st.booleans(), max_size=4))
def test_a_spec_survives_its_way_to_the_worker(options: dict[str, Any]) -> None:
    spec = LaneSpec(pipeline="p", model="m", source="synthetic", source_options=options, start=5)
    assert LaneSpec.model_validate_json(spec.model_dump_json()) == spec
