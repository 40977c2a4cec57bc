"""Each source in turn, opened with its example."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from agent import plugins
from tests.simulators.choosing import choose
from tests.simulators.examples import EXAMPLES, Plug, alongside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.types import Source


@pytest.fixture(scope="module")
def _beside() -> Iterator[None]:
    with alongside():
        yield


@pytest.fixture(params=choose(lambda _: True))
def name(request: pytest.FixtureRequest, _beside: None) -> str:
    """The kind of a source."""
    assert request.param in EXAMPLES, (
        f"add an example of {request.param!r} to a module of tests/simulators/examples"
    )
    return str(request.param)


@pytest.fixture
def opened(name: str, tmp_path: Path) -> Iterator[Callable[..., Source]]:
    """Opens the source by name with its example's options; closes what it opened."""
    sources: list[Source] = []
    options = EXAMPLES[name].options(tmp_path)

    def build(start: int = 0, *, at_its_pace: bool = False, **more: Any) -> Source:
        live = EXAMPLES[name].live
        if at_its_pace and live is not None:
            more |= live(options)
        module = plugins.load("sources", name)
        sources.append(module.build(module.Options(**{**options, **more}), start=start))
        return sources[-1]

    with EXAMPLES[name].beside(tmp_path) as more:
        options |= more
        yield build
        for source in sources:
            source.close()


@pytest.fixture
def plug(name: str, tmp_path: Path) -> Iterator[Plug]:
    """The device that it reads, which can be pulled out."""
    example = EXAMPLES[name]
    assert example.plug is not None
    options = example.options(tmp_path)
    with example.plug(tmp_path) as plug:
        yield replace(plug, options={**options, **plug.options})
