"""What is wrong with options, in words that their writer understands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from agent.boards import profiles
from agent.config import settings as config
from agent.errors import ConfigInvalid
from agent.fleet.packing import recipe
from agent.host import settings as host
from agent.validation import options, tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Options(BaseModel):
    """Of a source."""

    model_config = ConfigDict(extra="forbid")

    url: str
    channels: tuple[str, ...] = ()
    pair: tuple[int, ...] = Field(default=(1, 2), min_length=2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ulr": 1, "url": ""}, "read source.ulr: there is no such key. The keys are channels, pair, url"),
        ({}, "read source.url: this key is missing"),
        ({"url": "", "channels": "a"}, "read source.channels: Input should be a list"),
        ({"url": "", "pair": [1]}, "read source.pair: A list should have at least 2 items"),
    ],
)
def test_wrong_options_are_named_without_words_of_python(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        options(Options, given, "source")
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 3000, "a." * 1500 + "b = 1", f"a = {'[' * 65}{']' * 65}", f"a = {'9' * 6000}", "a", "[a"],
)
def test_no_toml_is_too_deep_or_too_long_for_us(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        tables(text)
    assert not isinstance(caught.value, RecursionError)


@pytest.mark.parametrize("read", [config.parse, profiles.parse], ids=["configuration", "profile"])
def test_a_key_of_thousands_of_dots_is_refused_in_a_line(read: Callable[[str, str], object]) -> None:
    with pytest.raises(ConfigInvalid, match="no valid TOML: it is nested too deep"):
        read("a." * 1500 + "b = 1\n", "x.toml")


@pytest.mark.parametrize("text", ["a." * 1500 + "b = 1", f"a = {'9' * 6000}", "a = " + "[" * 3000])
def test_a_recipe_and_the_helpers_file_are_refused_likewise(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    for read in (recipe.read, host.load):
        with pytest.raises(ConfigInvalid, match="no TOML"):
            read(path)
