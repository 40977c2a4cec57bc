"""Accelerators with puppets for processes and workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulators.puppet_accelerator import Bench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def make() -> Iterator[Callable[..., Bench]]:
    """Make one with these accelerators and pipelines."""
    made: list[Bench] = []

    def one(*kinds: str, **pipelines: str) -> Bench:
        made.append(Bench(kinds or ("usb",), **pipelines))
        return made[-1]

    yield one
    for bench in made:
        bench.bury()


@pytest.fixture
def bench(make: Callable[..., Bench]) -> Bench:
    """One accelerator, whose device can be reset, and the pipeline "door"."""
    return make()
