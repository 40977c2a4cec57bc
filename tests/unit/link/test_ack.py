"""Acknowledgements survive the trip, stay bounded, and nothing else passes for one."""

from __future__ import annotations

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from agent.errors import MessageInvalid
from agent.link import ack

EPOCH = "0123456789abcdef"


@st.composite
def stored(draw: st.DrawFn) -> ack.Extent:
    edges = draw(st.lists(st.integers(0, 1 << 52), unique=True, max_size=21).map(sorted))
    upto, *rest = edges or [0]
    return upto, tuple(zip(rest[::2], rest[1::2], strict=False))


streams = st.dictionaries(
    st.sampled_from(["result", "alert", "metric"]),
    st.dictionaries(st.from_regex(r"[0-9a-f]{16}", fullmatch=True), stored(), max_size=5),
)


@given(streams, st.booleans())
def test_what_is_encoded_is_decoded(wanted: dict[str, dict[str, ack.Extent]], again: bool) -> None:
    got = ack.decode(ack.encode("pi-17", wanted, again=again))
    assert (got.device, got.again) == ("pi-17", again)
    assert {
        stream: {epoch: (entry.upto, entry.have) for epoch, entry in epochs.items()}
        for stream, epochs in got.streams.items()
    } == wanted


@given(streams, st.data())
def test_a_mutated_acknowledgement_is_valid_or_refused(
    wanted: dict[str, dict[str, ack.Extent]], data: st.DataObject
) -> None:
    payload = bytearray(ack.encode("pi-17", wanted))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    try:
        ack.decode(bytes(payload))
    except MessageInvalid:
        event("refused")
    with pytest.raises(MessageInvalid):
        ack.decode(ack.encode("pi-17", wanted)[:-1])


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(MessageInvalid):
        ack.decode(noise)


def test_many_epochs_and_ranges_are_cut_to_what_a_device_accepts() -> None:
    ranges = tuple((10 * n, 10 * n + 5) for n in range(1, 200))
    epochs = {f"{n:016x}": (3, ranges) for n in range(300)}
    payload = ack.encode("pi-17", {"result": epochs})
    assert len(payload) < ack.MAX_ACK
    got = ack.decode(payload).streams["result"]
    assert list(got) == list(epochs)[: ack.MAX_EPOCHS]
    assert got[f"{0:016x}"].have == ranges[: ack.MAX_RANGES]


@pytest.mark.parametrize(
    "entry",
    [
        '{"upto": -1}',
        '{"upto": 1.0}',
        '{"upto": "1"}',
        '{"upto": true}',
        '{"upto": 9007199254740992}',
        '{"upto": 5, "have": [[5, 9]]}',
        '{"upto": 5, "have": [[9, 7]]}',
        '{"upto": 5, "have": [[7, 9], [9, 12]]}',
        '{"upto": 5, "have": [[7]]}',
        '{"upto": 5, "else": 1}',
        "5",
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(entry: str) -> None:
    text = f'{{"v": 1, "device": "pi-17", "streams": {{"result": {{"{EPOCH}": {entry}}}}}}}'
    with pytest.raises(MessageInvalid):
        ack.decode(text.encode())


def test_a_large_message_is_refused_before_it_is_read() -> None:
    with pytest.raises(MessageInvalid, match="is the most"):
        ack.decode(b" " * (ack.MAX_ACK + 1))


def test_a_peers_words_cannot_break_the_line_of_the_log() -> None:
    with pytest.raises(MessageInvalid) as caught:
        ack.decode(b'{"v":1,"device":"a","streams":{"\\n\\u001b[31m' + b"x" * 5000 + b'":{}}}')
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_deep_json_is_refused() -> None:
    with pytest.raises(MessageInvalid):
        ack.decode(b'{"v":1,"device":"a","streams":' + b"[" * 50_000)
