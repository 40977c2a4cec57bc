"""The commands that pages name exist: each verb, each option, each command for devices with its arguments."""

from __future__ import annotations

import argparse
import functools
import itertools
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from agent.cli import main as cli
from agent.commands import registry
from agent.config import overrides
from agent.events import Event
from agent.fleet import commands as fleet
from agent.fleet.collecting.databases import open_warehouse, reading
from agent.fleet.looking.judging import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
SYMPTOMS = (ROOT / "docs/troubleshooting.md").read_text()
_CALL = re.compile(
    r"^(?:sudo |docker (?:compose )?exec \S+ |\S+/bin/|[A-Z_]+=\S+ )*(edgectl|edge-agent) (?=[a-z])"
)


def calls(text: str) -> Iterator[list[str]]:
    """Give the words of each call, in code blocks and in code quotes."""
    whole = text.replace("\\\n", " ")
    fenced = re.findall(r"^```(?:sh)?\n(.*?)^```", whole, re.MULTILINE | re.DOTALL)
    blocks = [*"\n".join(fenced).splitlines(), *re.findall(r"^    (?:\$ )?(\S.*)$", whole, re.MULTILINE)]
    for line in [*blocks, *re.findall(r"`([^`\n]+)`", whole)]:
        for part in re.split(r" && | \| |; do |; ", line):
            if found := _CALL.match(part):
                yield words(part[found.start(1) :])


def words(line: str) -> list[str]:
    """Give the words of the first command of a line, without its comment."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(itertools.takewhile(lambda word: word not in {"|", ">", "2", "&", ";"}, lexer))


def problem_of(call: list[str]) -> str:
    """Say what of a call there is not; "" when all of it is."""
    found = _of_edgectl(call[1:]) if call[0] == "edgectl" else _of_agent(call[1:])
    return f"{' '.join(call)}: {found}" if found else ""


@functools.cache
def _edgectl() -> Any:
    return typer.main.get_command(fleet.app)


@functools.cache
def _agent() -> argparse.ArgumentParser:
    return cli.parser()


def _of_edgectl(rest: list[str]) -> str:
    command = _edgectl()
    while hasattr(command, "commands"):
        if not rest or rest[0] not in command.commands:
            return "" if not rest or rest[0].startswith(("-", "...")) else f"no verb {rest[0]}"
        command = command.commands[rest.pop(0)]
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    return _unknown(rest, known | {"--help"})


def _of_agent(rest: list[str]) -> str:
    parser = _agent()
    while verbs := [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]:
        if not rest or rest[0] not in verbs[0].choices:
            return "" if not rest or rest[0].startswith(("-", "...")) else f"no verb {rest[0]}"
        parser = verbs[0].choices[rest.pop(0)]
    known = {name for action in parser._actions for name in action.option_strings}
    return _unknown(rest, known)


def _unknown(rest: list[str], known: set[str]) -> str:
    given = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    return ", ".join(sorted(given - known))


@pytest.mark.parametrize("page", PAGES, ids=lambda one: one.relative_to(ROOT).as_posix())
def test_the_verbs_and_options_that_a_page_calls_exist(page: Path) -> None:
    assert [found for call in calls(page.read_text()) if (found := problem_of(call))] == []


def test_calls_are_found_wherever_they_stand() -> None:
    text = "    sudo edge-agent nosuch\n`edgectl gaps --nosuch X`\n    cd x && edgectl enroll a  # --no\n"
    found = list(calls(text))
    assert [one[:2] for one in found] == [
        ["edge-agent", "nosuch"],
        ["edgectl", "enroll"],
        ["edgectl", "gaps"],
    ]
    assert [bool(problem_of(one)) for one in found] == [True, False, True]


def test_the_page_of_symptoms_has_each_reason_of_a_red_row_and_no_other() -> None:
    table = SYMPTOMS.partition("## A board is red")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \| ", table, re.MULTILINE)) == REASONS


def test_the_page_of_symptoms_names_events_and_settings_that_exist() -> None:
    events = set(re.findall(r"`((?:lane|link|source|store|batch|device)\.[a-z]+)\b", SYMPTOMS))
    keys = re.findall(r"--set ([a-z_.]+)=", SYMPTOMS)
    assert events - {one.value for one in Event} - {"store.max_bytes"} == set()
    assert len(keys) > 3
    for key in keys:
        overrides.check(key)


def test_the_commands_to_devices_on_the_page_of_symptoms_exist() -> None:
    sent = [call[2:] for call in calls(SYMPTOMS) if call[:2] == ["edgectl", "command"] and len(call) > 2]
    assert len(sent) > 4
    for _, op, *rest in sent:
        given = {word.partition("=")[0] for word in rest if re.match(r"[a-z_]+=", word)}
        assert given <= set(registry.find(op).args.model_fields), (op, rest)


def test_the_question_to_the_database_can_be_asked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'fleet.db'}"
    open_warehouse(url).close()
    [question] = re.findall(r'sqlite3 fleet.db "([^"]+)"', SYMPTOMS)
    with reading(url) as db:
        assert db.execute(question).fetchall() == []
