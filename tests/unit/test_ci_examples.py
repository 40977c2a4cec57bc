"""The workflow files and pages for CI services call edgectl as it is."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import typer.main

from agent.fleet.commands import app

HOWTO = Path(__file__).resolve().parents[2] / "docs/howto"
WORKFLOW = HOWTO / "examples/rollout.yml"
PAGES = [HOWTO / "roll-out-from-ci.md", HOWTO / "model-registry.md", HOWTO.parent / "rollouts.md"]


def calls(text: str) -> list[list[str]]:
    """Give the words of each call of edgectl, a call a line."""
    whole = text.replace("\\\n", " ")
    found = re.findall(r"^(?:    |run: |)(edgectl [a-z].*)$", whole, re.MULTILINE)
    return [words(one) for one in found]


def words(line: str) -> list[str]:
    """Give the words of the first command of a line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(itertools.takewhile(lambda word: word not in {"|", ">"}, lexer))


def check(call: list[str]) -> None:
    """Find the verb and each of its options."""
    command: Any = typer.main.get_command(app)
    rest = call[1:]
    while isinstance(command, click.Group) or hasattr(command, "commands"):
        assert rest[0] in command.commands, call
        command = command.commands[rest.pop(0)]
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    assert {word for word in rest if word.startswith("--")} <= known, call


def test_the_workflow_is_yaml_and_its_calls_of_edgectl_exist() -> None:
    yaml = pytest.importorskip("yaml")
    found = yaml.safe_load(WORKFLOW.read_text())
    steps = found["jobs"]["rollout"]["steps"]
    runs = [call for step in steps for call in calls(step["run"])]
    assert [run[1] for run in runs] == ["publish", "rollout", "rollout", "rollout"]
    for run in runs:
        check(run)


@pytest.mark.parametrize("page", PAGES, ids=lambda one: one.stem)
def test_the_calls_of_edgectl_on_a_page_exist(page: Path) -> None:
    found = calls(page.read_text())
    assert found
    for call in found:
        check(call)
