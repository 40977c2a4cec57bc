"""Arguments of the command line are read as the device reads them."""

from __future__ import annotations

import pytest

from agent.commands import registry
from agent.commands.registry import Verb
from agent.documents.base import Document
from agent.errors import MessageInvalid
from agent.fleet.commanding import arguments


class Args(Document):
    version: str
    seconds: float = 1.0
    what: tuple[str, ...] = ()


@pytest.fixture(autouse=True)
def update(monkeypatch: pytest.MonkeyPatch) -> None:
    verb = Verb("update", "", Args, lambda *_: None, lambda *_: None)  # type: ignore[arg-type]
    monkeypatch.setattr(registry, "find", lambda _: verb)


def test_a_value_is_json_where_that_is_wanted_and_text_where_text_is() -> None:
    found = arguments.parsed("update", ["version=1.0", "seconds=2.5", 'what=["media"]'])
    assert found == {"version": "1.0", "seconds": 2.5, "what": ["media"]}
    assert arguments.parsed("update", ["version=a=b"]) == {"version": "a=b"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["seconds=1"], r"version is missing.*It takes: version= \[seconds=\] \[what=\]"),
        (["version=1", "seconds=soon"], "seconds"),
        (["version=1", "other=2"], "other"),
        (["version=1", "what=media"], r"""Write a list as what='\["one", "two"\]'"""),
        (["version=1", "version=2"], "it stands there twice"),
        (["=1"], "it is no KEY=VALUE"),
    ],
)
def test_what_the_device_would_refuse_is_refused_here(words: list[str], said: str) -> None:
    with pytest.raises(MessageInvalid, match=said):
        arguments.parsed("update", words)
