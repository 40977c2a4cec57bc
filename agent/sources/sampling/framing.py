"""Cuts bytes from a wire into samples: lines that fit a pattern, or binary frames behind a mark. No I/O."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINE = 4096


@dataclass(frozen=True, slots=True)
class Sample:
    """The numbers of a line or frame, and how many bytes of the piece that ended it came after."""

    values: tuple[float, ...]
    behind: int


class Lines:
    """Lines of text. The one that was under way at the beginning is not complete, and left out."""

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern)
        self.channels = len(self._pattern.groupindex)
        self._rest = b""
        self._begun = False

    def feed(self, data: bytes) -> Iterator[Sample | str]:
        """Take bytes; give the samples that they end, or what was wrong with a line."""
        *lines, rest = (self._rest + data).split(b"\n")
        behind = sum(map(len, lines)) + len(lines) + len(rest)
        self._rest = rest[:MAX_LINE]
        for line in lines:
            behind -= len(line) + 1
            if not self._begun:
                self._begun = True
            elif line.strip():
                yield self._sample(line[:MAX_LINE], behind)
        if len(rest) > MAX_LINE:
            self._rest, self._begun = b"", False
            yield f"no line ends within {MAX_LINE} bytes"

    def _sample(self, line: bytes, behind: int) -> Sample | str:
        text = line.decode(errors="replace").strip()
        fit = self._pattern.fullmatch(text)
        if fit is None:
            return f"a line does not fit the pattern: {text[:60]!r}"
        try:
            return Sample(tuple(float(fit[name]) for name in self._pattern.groupindex), behind)
        except (TypeError, ValueError):  # a group that took no part is None
            return f"a line holds no number where one is named: {text[:60]!r}"


class Frames:
    """Binary frames: a mark, numbers, and a checksum where there is one."""

    def __init__(self, form: str, sync: bytes, checksum: str) -> None:
        self._form = struct.Struct(form)
        self.channels = len(self._form.unpack(bytes(self._form.size)))
        self._sync = sync
        self._checksum = checksum
        self._whole = len(sync) + self._form.size + (checksum != "none")
        self._rest = b""
        self._begun = False

    def feed(self, data: bytes) -> Iterator[Sample | str]:
        """Take bytes; give the samples that they end, or what was wrong between two."""
        self._rest += data
        while (at := self._rest.find(self._sync)) >= 0:
            if at and self._begun:
                yield f"{at} bytes between two frames"
            self._rest = self._rest[at:]
            if len(self._rest) < self._whole:
                self._begun = self._begun and not at
                return
            body = self._rest[len(self._sync) : len(self._sync) + self._form.size]
            if not self._is_sound(body):
                self._rest = self._rest[1:]  # the mark may have been a part of the numbers
                if self._begun:
                    yield "a frame's checksum is wrong"
                self._begun = False
                continue
            self._begun = True
            self._rest = self._rest[self._whole :]
            yield Sample(tuple(map(float, self._form.unpack(body))), len(self._rest))
        kept = len(self._sync) - 1
        if self._begun and len(self._rest) > self._whole:
            self._begun = False
            yield f"{len(self._rest)} bytes without the mark of a frame"
        if not self._begun:
            self._rest = self._rest[max(0, len(self._rest) - kept) :]

    def _is_sound(self, body: bytes) -> bool:
        if self._checksum == "none":
            return True
        told = self._rest[self._whole - 1]
        return told == (sum(body) & 0xFF if self._checksum == "sum8" else reduce(xor, body))
