"""What is wrong with options, in words that their writer understands."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from agent.errors import ConfigInvalid
from agent.validation import options


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
