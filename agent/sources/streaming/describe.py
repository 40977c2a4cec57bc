"""Speaks RTSP (RFC 2326) as far as it takes to say why a camera gives no stream.

FFmpeg within OpenCV says only that it could not open one. This says why, in time, and without a thread.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.errors import SourceLost
from agent.sources.streaming.description import KNOWN, video
from agent.sources.web.connection import Connection
from agent.sources.web.reply import REFUSALS, Reply, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.sources.web.address import Address
    from agent.sources.web.login import Login

OP = "read camera"
ANSWER_S = 4.0
"""For connecting, logging in and the answer."""
AGAIN_S = 0.4
"""After which one that is busy is asked once more."""
MAX_DESCRIPTION = 65536
"""Bytes of an answer's body."""


def greet(address: Address) -> None:
    """See that the camera is there and speaks RTSP.

    It is asked for no more: some start their stream to describe it, and are busy when FFmpeg asks next.

    Raises:
        SourceLost: it is away, or something else answers.
    """
    with _in_one_line(address):
        _request(address, "OPTIONS", time.monotonic() + ANSWER_S)


def describe(address: Address, login: Login | None) -> None:
    """See that the camera lets us in, and has a video that we read.

    Raises:
        SourceLost: it is away or refuses, or what it has is nothing for us.
    """
    with _in_one_line(address):
        _judge(address, video(_ask(address, login, time.monotonic() + ANSWER_S)))


@contextmanager
def _in_one_line(address: Address) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        hint = "Check that the URL names the camera's RTSP stream"
        raise SourceLost(OP, address.shown, str(error), hint) from None


def _judge(address: Address, codecs: list[str]) -> None:
    if not codecs:
        raise SourceLost(
            OP, address.shown, "it streams no video", "Name a stream of the camera that has video"
        )
    if not KNOWN.keys() & set(codecs):
        *some, last = KNOWN.values()
        hint = f"Set the camera to {', '.join(some)} or {last}, or name another of its streams"
        raise SourceLost(OP, address.shown, f"its video is {codecs[0]}, which is not read here", hint)


def _ask(address: Address, login: Login | None, deadline: float) -> str:
    """Give the description, after the answer to a challenge if there is one."""
    reply, body = _request(address, "DESCRIBE", deadline)
    if reply.status == 503:  # it may still be busy to end what FFmpeg has begun
        time.sleep(AGAIN_S)
        reply, body = _request(address, "DESCRIBE", deadline)
    offers = [value for key, value in reply.headers if key == "www-authenticate"]
    if reply.status == 401 and login is not None and login.challenge(offers):
        reply, body = _request(address, "DESCRIBE", deadline, login)
    if reply.status != 200:
        if reply.status in REFUSALS:
            raise refusal(OP, address.shown, reply.status, known=login is not None)
        raise SourceLost(OP, address.shown, *_meaning(reply.status))
    return body.decode(errors="replace")


def _request(
    address: Address, method: str, deadline: float, login: Login | None = None
) -> tuple[Reply, bytes]:
    """Ask on a connection of its own, which the answer ends.

    Raises:
        SourceLost: no answer came in time, or the connection broke.
        ValueError: the answer is no RTSP.
    """
    url = f"rtsp://{address.authority}{address.target}"
    lines = [
        f"{method} {url} RTSP/1.0",
        "CSeq: 1",
        "Accept: application/sdp",
        "User-Agent: edge-agent",
    ]
    if login is not None and (answer := login.header(method, url)):
        lines.append(f"Authorization: {answer}")
    connection = Connection(address, "\r\n".join([*lines, "", ""]).encode())
    reply, body = Reply("RTSP/1.0"), b""
    try:
        while not reply.complete:
            data = connection.receive(deadline)
            if data is None:
                hint = "Check the camera's power, network and address"
                raise SourceLost(OP, address.shown, f"no answer in {ANSWER_S:g} s", hint)
            body += reply.feed(data)
            if len(body) > MAX_DESCRIPTION:
                raise ValueError(f"a description of more than {MAX_DESCRIPTION} bytes")
            if not data:
                reply.end()
        return reply, body
    finally:
        connection.close()


def _meaning(status: int) -> tuple[str, str]:
    """Give problem and hint."""
    if status == 404:
        return (
            "it has nothing at this path (404)",
            "Look the path of its RTSP stream up in the camera's manual",
        )
    if 300 <= status < 400:
        return f"it sends us elsewhere ({status})", "Put the address that it leads to into url"
    if status in {453, 503}:
        return f"it is busy ({status})", "See who else reads the camera; it is tried again"
    return f"it answers with status {status}", "Look at the camera's own page; it is tried again"
