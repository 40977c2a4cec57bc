"""Sensors on a serial port, which is a pseudo-terminal here."""

from __future__ import annotations

import os
import struct
import sys
import tty
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.errors import ExtraMissing, InputRejected, SourceLost
from agent.sources import serial
from agent.sources.sampling.framing import MAX_LINE, Frames, Lines, Sample
from agent.types import Needs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.types import Source

PATTERN = r"T=(?P<t>\S+) H=(?P<h>\d+)"


@contextmanager
def wire() -> Iterator[tuple[int, str]]:
    """Give the sensor's end of a line, and the path of ours."""
    theirs, ours = os.openpty()
    tty.setraw(theirs)
    tty.setraw(ours)
    try:
        yield theirs, os.ttyname(ours)
    finally:
        os.close(ours)
        os.close(theirs)


def sensor(path: str, start: int = 0, **options: Any) -> Source:
    given: dict[str, Any] = {"rate": 1000, "window": 1, "max_gap_s": 10, "baud": 115200, "port": path}
    if "frame" not in options:
        given["pattern"] = PATTERN
    return serial.build(serial.Options(**{**given, **options}), start=start)


def test_lines_become_windows_of_their_named_groups() -> None:
    with wire() as (end, path), closing(sensor(path, start=4)) as source:
        assert source.read(0) is None
        os.write(end, b"H=3\nT=21.5 H=40\r\n")
        frame = source.read(5)
        assert frame is not None
        assert (frame.seq, frame.data.tolist()) == (4, [[21.5, 40]])


def test_binary_frames_become_windows() -> None:
    with wire() as (end, path), closing(sensor(path, frame="<hf", sync="aa55", checksum="sum8")) as source:
        body = struct.pack("<hf", -7, 0.5)
        os.write(end, b"\x01\xaa\x55" + body + bytes([sum(body) & 0xFF]))
        frame = source.read(5)
        assert frame is not None
        assert frame.data.tolist() == [[-7, 0.5]]


def test_a_line_that_does_not_fit_fails_one_window() -> None:
    with wire() as (end, path), closing(sensor(path)) as source:
        os.write(end, b"\nT=oops\nworse\n")
        with pytest.raises(InputRejected, match="does not fit the pattern: 'T=oops'"):
            source.read(5)
        os.write(end, b"T=1 H=2\n")
        frame = source.read(5)
        assert frame is not None
        assert (frame.seq, frame.data.tolist()) == (1, [[1, 2]])


def test_a_port_whose_other_end_goes_is_lost() -> None:
    theirs, ours = os.openpty()
    path = os.ttyname(ours)
    with closing(sensor(path)) as source:
        os.close(theirs)
        with pytest.raises(SourceLost, match="read serial port"):
            source.read(5)
    os.close(ours)


def test_a_port_that_is_not_there_or_held_is_lost_with_a_hint() -> None:
    with pytest.raises(SourceLost, match=r"no such file or directory.*by-id"):
        sensor("/dev/ttyNONE")
    with wire() as (_, path), closing(sensor(path)), pytest.raises(SourceLost, match="open serial port"):
        sensor(path)


def test_a_silent_sensor_is_lost() -> None:
    with wire() as (_, path), closing(sensor(path, silence_s=0.5)) as source:
        assert source.read(0.1) is None
        with pytest.raises(SourceLost, match="no sample for"):
            source.read(0.6)


def test_without_pyserial_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(ExtraMissing, match=r"edge-inference-agent\[serial\]"):
        sensor("/dev/ttyNONE")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "give pattern for lines"),
        ({"pattern": "(?P<a>x)", "frame": "<h", "sync": "aa"}, "give pattern for lines"),
        ({"frame": "<h"}, "frame and sync go together"),
        ({"pattern": "("}, "no regular expression"),
        ({"pattern": "x"}, "names no channel"),
        ({"frame": "<4s", "sync": "aa"}, "something else than numbers"),
        ({"frame": "!!", "sync": "aa"}, "no format of struct"),
        ({"frame": "2000h", "sync": "aa"}, "longer than 1024 bytes"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        serial.Options(rate=1, window=1, port="/dev/ttyS0", **options)


def test_it_needs_its_port() -> None:
    options = serial.Options(rate=1, window=1, port="/dev/null", pattern=PATTERN)
    assert serial.needs(options) == Needs(devices=("/dev/null",))


def fed(reader: Lines | Frames, data: bytes, cuts: list[int]) -> list[tuple[float, ...] | str]:
    found: list[tuple[float, ...] | str] = []
    at = 0
    for cut in [*sorted(cuts), len(data)]:
        found += [one.values if isinstance(one, Sample) else one for one in reader.feed(data[at:cut])]
        at = max(at, cut)
    return found


@given(
    st.lists(st.tuples(st.integers(-99, 99), st.integers(0, 99)), max_size=12), st.lists(st.integers(0, 150))
)
def test_lines_are_the_same_in_whatever_pieces_they_come(
    rows: list[tuple[int, int]], cuts: list[int]
) -> None:
    data = b"half\n" + b"".join(f"T={t} H={h}\r\n".encode() for t, h in rows)
    assert fed(Lines(PATTERN), data, [min(cut, len(data)) for cut in cuts]) == [(t, h) for t, h in rows]


@given(
    st.lists(st.tuples(st.integers(-(2**15), 2**15 - 1), st.integers(0, 255)), max_size=12),
    st.lists(st.integers(0, 150)),
    st.sampled_from(["none", "sum8", "xor8"]),
)
def test_frames_are_the_same_in_whatever_pieces_they_come(
    rows: list[tuple[int, int]], cuts: list[int], checksum: str
) -> None:
    data = b""
    for row in rows:
        body = struct.pack("<hB", *row)
        ends = {"none": b"", "sum8": bytes([sum(body) & 255]), "xor8": bytes([body[0] ^ body[1] ^ body[2]])}
        data += b"\xaa\x55" + body + ends[checksum]
    reader = Frames("<hB", b"\xaa\x55", checksum)
    assert fed(reader, data, [min(cut, len(data)) for cut in cuts]) == rows


def test_after_a_damaged_frame_the_next_is_found() -> None:
    reader = Frames("<B", b"\xaa", "xor8")
    assert fed(reader, b"\xaa\x01\x01\xaa\x02\x09\xaa\x03\x03", []) == [
        (1,),
        "a frame's checksum is wrong",
        (3,),
    ]
    assert fed(reader, b"\x00\x00\xaa\x04\x04", []) == ["2 bytes between two frames", (4,)]


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_no_bytes_can_do_more_than_fail_or_grow_without_end(pieces: list[bytes]) -> None:
    for reader in (Lines(PATTERN), Frames("<hB", b"\xaa\x55", "sum8")):
        for piece in pieces:
            list(reader.feed(piece * 50))
            assert len(reader._rest) <= MAX_LINE


def test_a_line_without_an_end_is_told_once_it_is_too_long() -> None:
    assert fed(Lines(PATTERN), b"\n" + b"x" * (MAX_LINE + 1), []) == [f"no line ends within {MAX_LINE} bytes"]


def test_bytes_behind_a_line_tell_how_much_earlier_it_was() -> None:
    found = [one.behind for one in Lines(PATTERN).feed(b"\nT=1 H=2\nT=1 H=3\nT=") if isinstance(one, Sample)]
    assert found == [10, 2]


def test_a_mark_inside_of_what_was_no_frame_is_found() -> None:
    assert fed(Frames("<B", b"\xaa", "xor8"), b"\xaa\xaa\x05\x05", []) == [(5,)]
