"""HTTP answers, however their bytes are cut."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sources.web.reply import Reply

PIECES = st.lists(st.integers(1, 60), min_size=1, max_size=20)
BODIES = st.lists(st.binary(min_size=1, max_size=100), max_size=5)


def fed(data: bytes, cuts: list[int]) -> tuple[Reply, bytes]:
    reply, body, at = Reply(), b"", 0
    while at < len(data):
        size = cuts[at % len(cuts)]
        body += reply.feed(data[at : at + size])
        at += size
    return reply, body


@given(BODIES, PIECES)
def test_a_counted_body_is_complete_when_its_bytes_are_there(bodies: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(bodies)
    reply, body = fed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(whole) + whole, cuts)
    assert (reply.status, reply.complete, body) == (200, True, whole)


@given(BODIES, PIECES)
def test_a_body_without_a_length_ends_with_the_connection(bodies: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(bodies)
    reply, body = fed(b"HTTP/1.0 200 OK\r\nA:b\r\n\r\n" + whole, cuts)
    assert (reply.complete, body) == (False, whole)
    reply.end()
    assert reply.complete


@given(BODIES, PIECES, st.sampled_from([b"", b";x=y"]), st.sampled_from([b"", b"Date: now\r\n"]))
def test_a_chunked_body_comes_out_without_its_sizes(
    bodies: list[bytes], cuts: list[int], extension: bytes, trailer: bytes
) -> None:
    chunks = b"".join(b"%X%b\r\n%b\r\n" % (len(one), extension, one) for one in bodies)
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n"
    reply, body = fed(data, cuts)
    assert (reply.complete, body) == (True, b"".join(bodies))


@given(st.binary(max_size=300), PIECES)
def test_garbage_is_refused_or_waited_for(data: bytes, cuts: list[int]) -> None:
    try:
        reply, _ = fed(data, cuts)
    except ValueError:
        return
    assert reply.status == 0


@given(st.binary(max_size=100), PIECES)
def test_a_garbled_chunk_is_refused_or_waited_for(data: bytes, cuts: list[int]) -> None:
    with contextlib.suppress(ValueError):
        _, body = fed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data, cuts)
        assert len(body) < len(data) or not data


@pytest.mark.parametrize(
    "head",
    ["Transfer-Encoding: gzip", "Content-Length: -1", "Content-Length: 1e3", "Content-Length: 9999999999999"],
)
def test_a_body_of_unknown_extent_is_refused(head: str) -> None:
    with pytest.raises(ValueError, match=r"transfer coding|no number"):
        Reply().feed(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())


@pytest.mark.parametrize("end", [b"b", b"\n", b"\r"])
def test_a_header_full_of_spaces_takes_no_time(end: bytes) -> None:
    reply = Reply()
    reply.feed(b"HTTP/1.1 200 OK\r\nA: \tb\t \r\nC:d" + b" " * 16000 + end + b"\r\n\r\n")
    assert (reply.status, reply.header("a")) == (200, "b")


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx",
             b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nx"],
)  # fmt: skip
def test_an_answer_that_is_cut_short_is_an_error(sent: bytes) -> None:
    reply = Reply()
    reply.feed(sent)
    with pytest.raises(ValueError, match="ended within the answer"):
        reply.end()


def test_trailers_without_an_end_are_refused() -> None:
    reply = Reply()
    reply.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    with pytest.raises(ValueError, match="trailers"):
        reply.feed(b"a: b\r\n" * 40)
