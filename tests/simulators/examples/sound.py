"""Sound: from a program that plays arecord, and from a named pipe."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.simulators import sounding
from tests.simulators.examples.example import Example

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOUND = {"capture_rate": sounding.RATE, "window": 50}


@contextmanager
def microphone(folder: Path) -> Iterator[dict[str, Any]]:
    with sounding.arecord(folder):
        yield {}


@contextmanager
def pipe(folder: Path) -> Iterator[dict[str, Any]]:
    with sounding.written_pipe(folder / "sound"):
        yield {"path": str(folder / "sound")}


EXAMPLES = {
    "microphone": Example(
        "windows", lambda _: {"device": "hw:1", **SOUND}, lambda _: {"window": 500}, True, microphone
    ),
    "pcm": Example("windows", lambda _: {"path": "none", **SOUND}, lambda _: {"window": 500}, True, pipe),
}
