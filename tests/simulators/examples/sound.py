"""Sound: from a program that plays arecord, and from a named pipe."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.simulators import sounding
from tests.simulators.examples.example import Example, Plug

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


@contextmanager
def unplugged_microphone(folder: Path) -> Iterator[Plug]:
    with sounding.arecord(folder) as place:
        gone = place / "gone"
        yield Plug({}, out=gone.touch, back=gone.unlink, hush=(place / "hush").touch)


@contextmanager
def pipe_of_a_fickle_writer(folder: Path) -> Iterator[Plug]:
    path = folder / "sound"
    with sounding.written_pipe(path) as playing:
        yield Plug({"path": str(path)}, out=playing.clear, back=playing.set, hush=playing.clear)


EXAMPLES = {
    "microphone": Example(
        "windows",
        lambda _: {"device": "hw:1", **SOUND},
        lambda _: {"window": 500},
        endless=True,
        beside=microphone,
        plug=unplugged_microphone,
        reopened=8,
    ),
    "pcm": Example(
        "windows",
        lambda _: {"path": "none", **SOUND},
        lambda _: {"window": 500},
        endless=True,
        beside=pipe,
        plug=pipe_of_a_fickle_writer,
        reopened=40,
    ),
}
