"""The parts of a stream, however its bytes are cut and whatever stands between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sources.web.multipart import MAX_PART, Parts, boundary

LINE = b"--cut"
PIECES = st.lists(st.integers(1, 60), min_size=1, max_size=20)


def taken(data: bytes, cuts: list[int]) -> list[bytes]:
    """Feed ``data`` in pieces; give the parts."""
    parts, found, at = Parts("cut"), [], 0
    while at < len(data):
        size = cuts[at % len(cuts)]
        parts.feed(data[at : at + size])
        at += size
        while (one := parts.next()) is not None:
            found.append(one)
    return found


@given(st.lists(st.binary(max_size=200), max_size=6), PIECES, st.sampled_from([b"\n", b"\r\n"]))
def test_counted_parts_come_out_as_they_went_in(bodies: list[bytes], cuts: list[int], end: bytes) -> None:
    heads = [LINE + end + b"Content-Length: %d" % len(body) + end + end for body in bodies]
    data = b"".join(head + body + end for head, body in zip(heads, bodies, strict=True))
    assert taken(data, cuts) == bodies


@given(
    st.lists(st.binary(max_size=200).filter(lambda body: LINE not in body), max_size=6),
    PIECES,
    st.binary(max_size=40).filter(lambda noise: LINE not in noise + LINE[:-1]),
)
def test_parts_that_only_a_separator_ends_come_out_as_they_went_in(
    bodies: list[bytes], cuts: list[int], before: bytes
) -> None:
    data = before + b"".join(LINE + b"\r\nX: y\r\n\r\n" + body + b"\r\n" for body in bodies) + LINE
    assert taken(data, cuts) == bodies


@given(st.binary(max_size=600), PIECES)
def test_garbage_gives_parts_or_an_error_and_keeps_nothing_else(data: bytes, cuts: list[int]) -> None:
    taken(data, cuts)


def test_what_never_comes_to_a_picture_is_given_up_and_not_kept() -> None:
    parts = Parts("cut")
    for _ in range(MAX_PART >> 20):
        parts.feed(bytes(1 << 20))
        assert parts.next() is None
        assert parts.pending < 10
    parts.feed(bytes(10))
    with pytest.raises(ValueError, match="no pictures"):
        parts.next()


@pytest.mark.parametrize("head", [b"Content-Length: 99999999\r\n", b""])
def test_a_picture_that_is_too_large_is_given_up(head: bytes) -> None:
    parts = Parts("cut")
    parts.feed(LINE + b"\r\n" + head + b"\r\n")
    if not head:
        parts.feed(bytes(MAX_PART))
        assert parts.next() is None
        parts.feed(b"x")
    with pytest.raises(ValueError, match="more than 16 MiB"):
        parts.next()


def test_headers_without_an_end_are_given_up() -> None:
    parts = Parts("cut")
    parts.feed(LINE + b"x" * 5000)
    with pytest.raises(ValueError, match="4096 bytes of headers"):
        parts.next()


@pytest.mark.parametrize(
    ("kind", "separator"),
    [
        ("multipart/x-mixed-replace; boundary=cut", "cut"),
        ('Multipart/X-Mixed-Replace;Boundary="a b"', "a b"),
        ("multipart/x-mixed-replace; charset=x; boundary=--cut; y=z", "cut"),
        ("multipart/x-mixed-replace", None),
        ("image/jpeg; boundary=cut", None),
        ("", None),
    ],
)
def test_the_separator_is_read_from_the_header(kind: str, separator: str | None) -> None:
    assert boundary(kind) == separator
