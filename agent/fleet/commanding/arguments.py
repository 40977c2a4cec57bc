"""A command's arguments, as the command line says them: KEY=VALUE, read as the device will read them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from agent.commands import registry
from agent.errors import MessageInvalid
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.commands.registry import Verb

_HINT = "edgectl command --list shows what each takes"
_LISTS = frozenset(("tuple_type", "list_type"))
"""What pydantic calls a list that is none."""


def parsed(op: str, words: Sequence[str]) -> dict[str, Any]:
    """Read a command's arguments, and refuse what the device would refuse.

    A value is JSON where it reads as that and is wanted so, else the text as it stands.

    Raises:
        MessageInvalid: there is no such command, or it does not take these.
    """
    verb = registry.find(op)
    given: dict[str, tuple[Any, str]] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key or key in given:
            problem = "it stands there twice" if key in given else "it is no KEY=VALUE"
            raise MessageInvalid("read arguments of", f"{op}: {word!r}", problem, _HINT)
        given[key] = (value_of(text), text)
    values = {key: value for key, (value, _) in given.items()}
    _known(verb, values)
    try:
        _read(verb, values)
    except ValidationError as error:
        wrong = {str(one["loc"][0]) for one in error.errors() if one["loc"]}
        values = {key: text if key in wrong else value for key, (value, text) in given.items()}
        _check(verb, values)
    return values


def _known(verb: Verb, values: dict[str, Any]) -> None:
    """Refuse a name that the command does not know, and one that it lacks: the commonest slips."""
    fields = verb.args.model_fields
    if unknown := next((key for key in values if key not in fields), ""):
        problem = f"{unknown}: there is no such argument"
        raise MessageInvalid("read arguments of", verb.op, problem, f"It takes: {takes(verb)}")
    if lacking := next((key for key, one in fields.items() if one.is_required() and key not in values), ""):
        problem = f"{lacking} is missing"
        raise MessageInvalid("read arguments of", verb.op, problem, f"It takes: {takes(verb)}")


def _read(verb: Verb, values: dict[str, Any]) -> None:
    verb.args.model_validate_json(json.dumps(values))


def _check(verb: Verb, values: dict[str, Any]) -> None:
    try:
        _read(verb, values)
    except ValidationError as error:
        hint = f"It takes: {takes(verb)}"
        if lists := [one["loc"][0] for one in error.errors() if one["type"] in _LISTS and one["loc"]]:
            hint = f"""Write a list as {lists[0]}='["one", "two"]'. {hint}"""
        raise MessageInvalid("read arguments of", verb.op, first_problem(error), hint) from error


def value_of(text: str) -> Any:
    """Read a value: JSON, or the text as it stands."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def takes(verb: Verb) -> str:
    """Say which arguments a command has: what may be left out stands in brackets."""
    names = [
        f"{name}=" if field.is_required() else f"[{name}=]" for name, field in verb.args.model_fields.items()
    ]
    return " ".join(names) or "nothing"
