from __future__ import annotations

import inspect

import pytest

from agent import errors
from agent.errors import AgentError, ConfigInvalid, Fatal, Rejected, Restart, Retryable, SourceEnded

ALL = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, AgentError)]


def test_the_text_is_one_line_of_what_where_why_and_what_to_do() -> None:
    error = AgentError("load model", "gate.tflite", "it is empty", "Copy it again")
    assert str(error) == "load model gate.tflite: it is empty. Copy it again"


def test_without_a_hint_the_text_ends_with_the_problem() -> None:
    assert str(AgentError("read", "frame 7", "it is truncated")) == "read frame 7: it is truncated"


def test_an_error_with_its_place_only_does_not_start_with_a_space() -> None:
    assert str(ConfigInvalid("", "agent.toml:3: mqtt.port", "too large")).startswith("agent.toml:3")


@pytest.mark.parametrize("kind", [one for one in ALL if one is not AgentError])
def test_every_error_calls_for_exactly_one_reaction(kind: type[AgentError]) -> None:
    assert sum(issubclass(kind, group) for group in (Retryable, Rejected, Restart, Fatal)) == 1


@pytest.mark.parametrize("kind", ALL)
def test_every_error_stands_in_the_drawn_tree(kind: type[AgentError]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")


def test_only_a_wrong_configuration_exits_78() -> None:
    assert ConfigInvalid.exit_code == 78
    assert {kind.exit_code for kind in ALL if not issubclass(kind, ConfigInvalid)} == {1}


def test_a_wrong_configuration_knows_its_key_and_the_further_problems() -> None:
    error = ConfigInvalid("", "agent.toml:3", "bad", loc=("mqtt", "port"), also=("agent.toml:9: bad",))
    assert error.loc == ("mqtt", "port")
    assert error.also == ("agent.toml:9: bad",)


def test_the_end_of_a_recording_is_no_error_of_the_tree() -> None:
    assert not issubclass(SourceEnded, AgentError)
