from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

from agent import plugins
from agent.errors import ConfigInvalid

Offer = Callable[[str, ModuleType], None]
PACKAGE = Path(plugins.__file__).parent


def module(name: str, **parts: object) -> ModuleType:
    made = ModuleType(name)
    for part, value in parts.items():
        setattr(made, part, value)
    return made


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Offer a module as a source, as another distribution does with an entry point."""
    offered: list[EntryPoint] = []

    def entry_points(*, group: str, name: str | None = None) -> list[EntryPoint]:
        return [point for point in offered if point.group == group and name in {None, point.name}]

    def offer(name: str, made: ModuleType) -> None:
        monkeypatch.setitem(sys.modules, made.__name__, made)
        offered.append(EntryPoint(name, made.__name__, "edge_agent.sources"))

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    return offer


@pytest.mark.parametrize("room", plugins.ROOMS)
def test_each_room_lists_its_modules_but_not_its_helpers(room: str) -> None:
    files = {path.stem for path in (PACKAGE / room).glob("*.py")}
    assert plugins.names(room) == sorted(name for name in files if not name.startswith("_"))


@pytest.mark.parametrize("room", plugins.ROOMS)
def test_every_module_of_a_room_has_options_and_build(room: str) -> None:
    for name in plugins.names(room):
        loaded = plugins.load(room, name)
        assert issubclass(loaded.Options, BaseModel)
        assert loaded.Options.model_config.get("extra") == "forbid"
        assert callable(loaded.build)


def test_listing_the_names_imports_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in plugins.names("sources"):
        monkeypatch.delitem(sys.modules, f"agent.sources.{name}", raising=False)
    names = plugins.names("sources")
    assert names
    assert not [name for name in names if f"agent.sources.{name}" in sys.modules]


def test_an_unknown_name_is_a_configuration_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ConfigInvalid, match="there is no 'thermal'") as caught:
        plugins.load("sources", "thermal")
    assert all(name in caught.value.hint for name in plugins.names("sources"))


@pytest.mark.parametrize("name", ["_camera", "os", "../x", "", "__init__"])
def test_only_listed_names_are_imported(name: str) -> None:
    with pytest.raises(ConfigInvalid):
        plugins.load("sources", name)


def test_an_entry_point_adds_a_name_to_its_own_room(offer: Offer) -> None:
    radar = module("foreign_radar", Options=BaseModel, build=print)
    offer("radar", radar)
    assert plugins.names("sources")[-1] == "radar"
    assert "radar" not in plugins.names("decoders")
    assert plugins.load("sources", "radar") is radar


def test_an_entry_point_cannot_shadow_a_built_in_name(offer: Offer) -> None:
    offer("video", module("foreign_video", Options=BaseModel, build=print))
    assert plugins.names("sources").count("video") == 1
    assert plugins.load("sources", "video").__name__ == "agent.sources.video"


@pytest.mark.parametrize("part", ["Options", "build"])
def test_a_module_that_lacks_a_part_is_refused_by_name(offer: Offer, part: str) -> None:
    parts = {"Options": BaseModel, "build": print}
    del parts[part]
    offer("radar", module("foreign_radar", **parts))
    with pytest.raises(ConfigInvalid, match=rf"'radar'.* its module has no {part}"):
        plugins.load("sources", "radar")
