"""Gates and filters of a pipeline: built in order, and what is wrong with one is told with its place."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from agent.config.pipelines import Plugin
from agent.errors import ConfigInvalid, InputRejected
from agent.workers.program.assembly import _built
from tests.simulators import foreign_plugins


class Options(BaseModel):
    """Of a filter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    points: tuple[tuple[float, float], ...] = ()


def build(options: Options) -> Options:
    if len(options.points) == 1:
        raise ConfigInvalid("read", "points", "one is no line", "Give two", loc=("points",))
    if len(options.points) > 2:
        raise InputRejected("read", "points", "too many", "Give two")
    return options


@pytest.fixture(autouse=True)
def _a_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign_plugins.offer(monkeypatch, "filters", "line", Options=Options, build=build)


def made(*points: object) -> Any:
    return Plugin.model_validate({"kind": "line", "points": points})


def test_filters_are_built_in_their_order() -> None:
    one, two = _built("filters", [made([0, 0], [1, 1]), made()])
    assert (len(one.points), len(two.points)) == (2, 0)


@pytest.mark.parametrize(
    ("wrong", "loc", "problem"),
    [
        (Plugin(kind="lien"), ("kind",), "there is no 'lien'"),
        (made([0, 0], [1, "x"]), ("points", 1, 1), "Input should be a valid number"),
        (made([0, 0]), ("points",), "one is no line"),
        (made([0, 0], [0, 0], [0, 0]), (), "too many"),
    ],
)
def test_what_is_wrong_with_one_is_told_with_its_number_and_key(
    wrong: Plugin, loc: tuple[str | int, ...], problem: str
) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        _built("filters", [made(), wrong])
    assert caught.value.loc == ("filters", 1, *loc)
    assert caught.value.problem.startswith(problem)
