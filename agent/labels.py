"""Names of classes, as label files give them.

A label file is UTF-8 text with one name a line, the first for class 0. Where every line that is not
empty starts with a number (``7 giraffe`` or ``7: giraffe``), the numbers say which class is meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.errors import ModelInvalid

MAX_LABELS = 100_000
MAX_LENGTH = 200
MAX_BYTES = 8 << 20
"""The largest label file that is read."""

_INDEXED = re.compile(r"(\d{1,9})(?:\s*:\s*|\s+)(\S.*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Labels:
    """Class names by index; ``names`` may be shorter than the model's list of classes, or empty."""

    names: tuple[str, ...] = ()

    def name(self, index: int) -> str:
        """Give the name of class ``index``, or "class <index>" where there is none."""
        if 0 <= index < len(self.names):
            return self.names[index]
        return f"class {index}"


def parse(data: bytes, subject: str = "labels") -> Labels:
    """Read a label file.

    Args:
        data: the file's bytes; a byte order mark and Windows line ends are fine.
        subject: what an error calls the file.

    Raises:
        ModelInvalid: not UTF-8, too large, a name too long, or an index that is too high or comes twice.
    """
    lines = [_clean(line) for line in _decode(data, subject).split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LENGTH:
            raise _invalid(subject, f"line {number} has {len(line)} characters", f"Use {MAX_LENGTH} at most")
    pairs = [_INDEXED.fullmatch(line) for line in lines if line]
    if pairs and all(pairs):
        lines = _by_index([(int(pair[1]), pair[2]) for pair in pairs if pair], subject)
    if len(lines) > MAX_LABELS:
        raise _invalid(subject, f"there are {len(lines)} labels", f"Use {MAX_LABELS} at most")
    return Labels(tuple(line or f"class {index}" for index, line in enumerate(lines)))


def _decode(data: bytes, subject: str) -> str:
    if len(data) > MAX_BYTES:
        raise _invalid(subject, f"{len(data)} bytes are too many", f"Use {MAX_BYTES} at most")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _invalid(subject, f"line {line} is not UTF-8", "Save the file as UTF-8 text") from error


def _clean(line: str) -> str:
    """Strip ``line``, and blank out what would steer a terminal: names come with models, from outside."""
    line = line.strip()
    return line if line.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in line)


def _by_index(pairs: list[tuple[int, str]], subject: str) -> list[str]:
    named: dict[int, str] = {}
    for index, name in pairs:
        if index >= MAX_LABELS:
            raise _invalid(subject, f"index {index} is too high", f"Use {MAX_LABELS - 1} at most")
        if index in named:
            raise _invalid(subject, f"index {index} comes twice", "Give each class one name")
        named[index] = name
    return [named.get(index, "") for index in range(max(named) + 1)]


def _invalid(subject: str, problem: str, hint: str) -> ModelInvalid:
    return ModelInvalid("read labels", subject, problem, hint)
