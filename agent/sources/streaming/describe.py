"""Asks a camera what it streams (RTSP's DESCRIBE, RFC 2326) before FFmpeg is let at it.

FFmpeg within OpenCV says only that it could not open a stream; this says why, within a time, and without a thread.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent.errors import SourceLost
from agent.sources.streaming.description import KNOWN, video
from agent.sources.web.connection import Connection
from agent.sources.web.reply import Reply

if TYPE_CHECKING:
    from agent.sources.web.address import Address
    from agent.sources.web.login import Login

OP = "read camera"
ANSWER_S = 4.0
"""For connecting, logging in and the answer."""
MAX_DESCRIPTION = 65536
"""Bytes of an answer's body."""


def describe(address: Address, login: Login | None) -> None:
    """See that the camera is there, lets us in, and has a video that we read.

    Raises:
        SourceLost: it is away or refuses, or what it has is nothing for us.
    """
    deadline = time.monotonic() + ANSWER_S
    try:
        _judge(address, video(_ask(address, login, deadline)))
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
    reply, body = _request(address, login, 1, deadline)
    offers = [value for key, value in reply.headers if key == "www-authenticate"]
    if reply.status == 401 and login is not None and login.challenge(offers):
        reply, body = _request(address, login, 2, deadline)
    if reply.status != 200:
        raise SourceLost(OP, address.shown, *_meaning(reply.status, known=login is not None))
    return body.decode(errors="replace")


def _request(address: Address, login: Login | None, number: int, deadline: float) -> tuple[Reply, bytes]:
    """Ask on a connection of its own, which the answer ends.

    Raises:
        SourceLost: no answer came in time, or the connection broke.
        ValueError: the answer is no RTSP.
    """
    url = f"rtsp://{address.authority}{address.target}"
    lines = [
        f"DESCRIBE {url} RTSP/1.0",
        f"CSeq: {number}",
        "Accept: application/sdp",
        "User-Agent: edge-agent",
    ]
    if login is not None and (answer := login.header("DESCRIBE", url)):
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


def _meaning(status: int, *, known: bool) -> tuple[str, str]:
    """Give problem and hint."""
    if status in {401, 403}:
        problem = "it refuses this name and password" if known else "it wants a name and a password"
        return f"{problem} ({status})", "Put user:password into a file, and name it in login"
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
