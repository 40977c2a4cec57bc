"""What a source is tested with."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

FRAMES = 8


@contextmanager
def no_more(_: Path) -> Iterator[dict[str, Any]]:
    """Nothing runs beside."""
    yield {}


@dataclass(frozen=True)
class Plug:
    """A device that a test pulls out.

    Attributes:
        options: what it is opened with, beside those of the example.
        out: pulls it out; sources that are open lose it.
        back: plugs it in again.
        hush: whoever opens it from now on gets a few frames at most, and then nothing; None for what always
            says something.
    """

    options: dict[str, Any]
    out: Callable[[], object]
    back: Callable[[], object]
    hush: Callable[[], object] | None = None


@dataclass(frozen=True)
class Example:
    """What a source is tested with.

    Attributes:
        gives: pictures, or windows of samples.
        options: give ``FRAMES`` frames.
        live: more of them, made of those given, for a pace of its own if the source has one: four frames a
            second, or fewer.
        endless: it gives frames for ever, and none of them twice.
        beside: what runs beside the source, and more options for it.
        plug: the device that it reads, for a test to pull out; None for what has none.
        reopened: how often it is lost and opened again; fewer where that takes long, as to start a program,
            unless EDGE_AGENT_TESTS_RECONNECTS says another number for all.
    """

    gives: Literal["pictures", "windows"]
    options: Callable[[Path], dict[str, Any]]
    live: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    endless: bool = False
    beside: Callable[[Path], AbstractContextManager[dict[str, Any]]] = no_more
    plug: Callable[[Path], AbstractContextManager[Plug]] | None = None
    reopened: int = 200
