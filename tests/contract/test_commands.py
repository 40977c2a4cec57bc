"""Every command keeps to its seam, and is told of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.commands import registry
from agent.documents.base import Document
from agent.documents.command import BARE

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "commands.md").read_text()


@pytest.mark.parametrize("op", registry.OPS)
def test_a_command_says_what_it_does_and_what_it_takes(op: str) -> None:
    verb = registry.find(op)
    assert verb.op == op
    assert 10 < len(verb.summary) < 120
    assert "\n" not in verb.summary
    assert not verb.summary.endswith(".")
    assert issubclass(verb.args, Document)
    assert callable(verb.run)
    assert callable(verb.resume)
    assert 0 < verb.deadline_s <= 86400


@pytest.mark.parametrize("op", registry.OPS)
def test_arguments_are_bounded_and_nothing_else_is_taken(op: str) -> None:
    args = registry.find(op).args
    assert args.model_config.get("extra") == "forbid"
    assert args.model_config.get("frozen")
    unbounded = [
        name
        for name, told in args.model_json_schema().get("properties", {}).items()
        if told.get("type") == "string" and not {"maxLength", "pattern", "enum", "const"} & told.keys()
    ]
    assert not unbounded


@pytest.mark.parametrize("op", registry.OPS)
def test_a_command_has_its_section_with_all_of_its_arguments(op: str) -> None:
    found = re.search(rf"^## `{op}`$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/commands.md has no section of {op}"
    missing = [name for name in registry.find(op).args.model_fields if f"`{name}`" not in found[1]]
    assert not missing


@pytest.mark.parametrize("op", registry.OPS)
def test_what_may_come_bare_answers_at_once(op: str) -> None:
    assert op not in BARE or registry.find(op).quick


def test_a_name_that_is_in_no_list_is_no_command() -> None:
    from agent.errors import MessageInvalid

    with pytest.raises(MessageInvalid, match="ping"):
        registry.find("registry")
