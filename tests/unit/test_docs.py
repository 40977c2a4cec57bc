"""The documentation is complete: every verb, option, configuration key, event and topic stands in it."""

from __future__ import annotations

import argparse
import inspect
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
import typer.main
from pydantic import BaseModel

from agent import plugins
from agent.boards.profiles import Profile
from agent.cli import main as cli
from agent.config.settings import Settings
from agent.events import Event
from agent.fleet import commands as fleet
from agent.link import topics
from agent.probing.passport import Passport, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parents[2] / "docs"


def page(name: str) -> str:
    path = DOCS / name
    assert path.is_file(), f"docs/{name} is missing"
    return path.read_text()


def section(text: str, title: str) -> str:
    """Give what stands under the heading that holds ``title`` in code quotes, up to the next of its rank."""
    found = re.search(rf"^(#+) .*`{re.escape(title)}`.*$", text, re.MULTILINE)
    if not found:
        return ""
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def code(text: str) -> set[str]:
    """Give what stands in code quotes, and the words of code blocks."""
    blocks = re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
    words = [word for block in blocks for word in block.split()] + re.findall(r"`([^`\n]+)`", text)
    return {*words, *(word.strip("[]`,\"'") for word in words)}


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        long = [o for o in action.option_strings if o.startswith("--") and o != "--help"]
        yield from long


def verbs_of_agent() -> dict[str, list[str]]:
    """Each verb of edge-agent, with its long options."""
    return dict(verbs_below(cli.parser()))


def verbs_below(parser: argparse.ArgumentParser, above: str = "") -> Iterator[tuple[str, list[str]]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, verb in action.choices.items():
                yield above + name, list(options(verb))
                yield from verbs_below(verb, f"{above}{name} ")


def verbs_of_edgectl() -> dict[str, list[str]]:
    """Each verb of edgectl, those below another, too, with its long options."""
    return dict(verbs_of_typer(typer.main.get_command(fleet.app)))


def verbs_of_typer(command: Any, above: str = "") -> Iterator[tuple[str, list[str]]]:
    for name, verb in getattr(command, "commands", {}).items():
        yield (
            above + name,
            [o for p in verb.params for o in p.opts if o.startswith("--") and o != "--help"],
        )
        yield from verbs_of_typer(verb, f"{above}{name} ")


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Give the dotted path of each key; tables of an array have no index in it."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for inner in tables(field.annotation):
            yield from keys(inner, f"{prefix}{name}.")


def tables(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for part in get_args(annotation):
            yield from tables(part)


@pytest.mark.parametrize(
    ("program", "verbs"), [("edge-agent", verbs_of_agent()), ("edgectl", verbs_of_edgectl())]
)
def test_every_verb_has_a_section_that_names_its_options(program: str, verbs: dict[str, list[str]]) -> None:
    text = page("cli.md")
    missing = []
    for verb, flags in verbs.items():
        body = section(text, f"{program} {verb}")
        known = {word.split("=")[0].split()[0] for word in code(body) if word.strip()}
        missing += [f"{program} {verb}"] if not body else []
        missing += [f"{program} {verb} {flag}" for flag in flags if flag not in known]
    assert verbs
    assert not missing, "undocumented: " + ", ".join(missing)


def test_every_configuration_key_is_explained() -> None:
    known = code(page("configuration.md"))
    missing = [key for key in keys(Settings) if key not in known]
    assert not missing, "undocumented: " + ", ".join(missing)


@pytest.mark.parametrize("document", [Profile, Passport])
def test_every_key_of_a_device_profile_and_every_field_of_a_passport_is_explained(
    document: type[BaseModel],
) -> None:
    known = code(page("devices.md"))
    missing = [key for key in keys(document) if key not in known]
    missing += [verdict for verdict in get_args(Verdict) if f"\n| `{verdict}` | " not in page("devices.md")]
    assert not missing, "undocumented: " + ", ".join(missing)


@pytest.mark.parametrize("room", plugins.ROOMS)
def test_every_plugin_has_a_section_that_names_its_options(room: str) -> None:
    text = section(page("configuration.md"), room)
    assert text, f"docs/configuration.md has no heading with `{room}`"
    missing = []
    for name in plugins.names(room):
        model: type[BaseModel] = plugins.load(room, name).Options
        body = section(text, name)
        missing += [f"{room} {name}"] if not body else []
        missing += [f"{room} {name} {key}" for key in keys(model) if key not in code(body)]
    assert not missing, "undocumented: " + ", ".join(missing)


def test_every_event_stands_in_its_table_with_its_level_and_repeat_rule() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \| (\w+) \| (✓?) ?\|", page("events.md"), re.MULTILINE)
    documented = {name: (level, bool(often)) for name, level, often in rows}
    assert documented == {e.value: (logging.getLevelName(e.level).lower(), e.often) for e in Event}
    assert len(rows) == len(documented)


def test_every_event_says_what_happened_and_what_to_do() -> None:
    rows = [line.split("|")[1:-1] for line in page("events.md").splitlines() if line.startswith("| `")]
    assert all(len(row) == 5 and row[3].strip() and row[4].strip() for row in rows)


def topics_made() -> Iterator[str]:
    """Every topic and filter that ``agent.link.topics`` makes, with the names as the docs write them."""
    stand_ins = {"fleet": "fleet0", "device": "device0"}
    for name, function in inspect.getmembers(topics, inspect.isfunction):
        wanted = inspect.signature(function).parameters
        if name[0] == "_" or function.__module__ != topics.__name__ or not wanted.keys() <= stand_ins.keys():
            continue
        made = function(**{each: stand_ins[each] for each in wanted})
        for one in made.values() if isinstance(made, dict) else made if isinstance(made, tuple) else [made]:
            yield one.replace("fleet0", "<fleet>").replace("device0", "<device>").replace("/+/", "/<device>/")


def test_every_topic_is_specified() -> None:
    made = set(topics_made())
    assert len(made) >= 3
    text = page("protocol.md")
    missing = []
    for topic in made:
        short = topic.replace("edge/v1/<fleet>", "R")
        if not any(form in text for form in (topic, short, short.replace("<device>", "<id>"))):
            missing.append(topic)
    assert not missing, "undocumented: " + ", ".join(missing)


def test_every_decision_stands_in_the_index_with_its_status() -> None:
    index = page("adr/README.md")
    for path in sorted((DOCS / "adr").glob("[0-9]*.md")):
        status = re.search(r"^\d{4}-\d\d-\d\d\. (.+)\.$", path.read_text(), re.MULTILINE)
        assert status, path.name
        row = rf"\| \[{path.name[:4]}\]\({re.escape(path.name)}\) \| .+ \| {status[1].lower()} \|"
        assert re.search(row, index), path.name
