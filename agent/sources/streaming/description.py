"""What a camera says that it streams: the part of SDP (RFC 8866) that says which video there is."""

from __future__ import annotations

import re

KNOWN = {"H264": "H.264", "H265": "H.265", "JPEG": "MJPEG"}
"""What we read, by the names that RTP has for it."""
_MEDIA = re.compile(r"m=(\w{1,32}) \d{1,5}(?:/\d{1,5})? \S{1,32}((?: \w{1,32})+)\s*")
_MAP = re.compile(r"a=rtpmap:(\d{1,3}) ([\w.-]{1,64})/\d{1,9}.{0,64}")
_FIXED = {"26": "JPEG", "31": "H261", "32": "MPV", "33": "MP2T", "34": "H263"}
"""Payload types that need no map (RFC 3551)."""


def video(text: str) -> list[str]:
    """Give the codecs of the video streams, by RTP's names in capitals; "?" for one that is not named.

    Raises:
        ValueError: it describes no stream at all.
    """
    media: list[tuple[str, str]] = []
    named: list[dict[str, str]] = []
    for line in text.splitlines():
        if found := _MEDIA.fullmatch(line):
            media.append((found[1], found[2].split()[0]))
            named.append({})
        elif named and (found := _MAP.fullmatch(line)):
            named[-1][found[1]] = found[2].upper()
    if not media:
        raise ValueError("it describes no stream")
    return [
        names.get(payload) or _FIXED.get(payload, "?")
        for (kind, payload), names in zip(media, named, strict=True)
        if kind == "video"
    ]
