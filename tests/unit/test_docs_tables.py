"""The tables of the documentation say what the code says: states, defaults, ranges, limits, tests, links."""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from agent import plugins
from agent.activation.lifecycle import TABLE as MODEL_TABLE
from agent.cli.setup.schema import schema
from agent.config import settings as config
from agent.configuring.lifecycle import TABLE as SETTINGS_TABLE
from agent.dispatch.life import TABLE as COMMAND_TABLE
from agent.fleet.rollouts.table import TABLE as ROLLOUT_TABLE
from agent.link.connection import LINK_TABLE
from agent.recovery.ladder import TABLE as LADDER
from agent.workers.policy import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "s": 1, "ms": 1, "": 1}


def below(text: str, heading: str) -> str:
    """Give what stands below a heading, up to the next of its rank or a higher one."""
    found = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert found, heading
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """Give the cells of each row of the tables, without the lines that rule them."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines]


def drawn(text: str) -> set[tuple[str, str, str]]:
    """Give each (state, event, next state) of a mermaid diagram."""
    edges = re.findall(r"^ +(\w+) --> (\w+): (.+)$", text, re.MULTILINE)
    return {(one, event, two) for one, two, events in edges for event in events.split(", ")}


@pytest.mark.parametrize(
    ("heading", "table"),
    [
        ("The lane", TABLE),
        ("The accelerator", LADDER),
        ("The link", LINK_TABLE),
        ("The model", MODEL_TABLE),
        ("The settings", SETTINGS_TABLE),
        ("The command", COMMAND_TABLE),
        ("The rollout", ROLLOUT_TABLE),
    ],
)
def test_the_diagrams_show_every_transition_and_no_other(heading: str, table: Any) -> None:
    text = below((DOCS / "states.md").read_text(), heading)
    assert drawn(text) == {(old.value, event.value, new.value) for (old, event), new in table.items()}
    named = {cell for row in rows(text) for cell in re.findall(r"^`(\w+)`$", row[0])}
    assert named == {one.value for pair, new in table.items() for one in (*pair, new)}
    [first] = re.findall(r"\[\*\] --> (\w+)", text)
    assert first in {"stopped", "off", "offline", "downloading", "idle", "waiting", "planned"}


def tables_of_keys() -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Give each documented key's path, its JSON Schema, and whether it must be given."""
    whole = config.Settings.model_json_schema()
    yield from _keys(whole, whole["$defs"], "")


def _keys(table: dict[str, Any], known: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any, bool]]:
    for name, key in table.get("properties", {}).items():
        yield prefix + name, key, name in table.get("required", ())
        for reference in re.findall(r"'#/\$defs/(\w+)'", str(key)):
            yield from _keys(known[reference], known, f"{prefix}{name}.")


def options_of_plugins() -> Iterator[tuple[str, str, dict[str, Any], bool]]:
    for room in plugins.ROOMS:
        for name in plugins.names(room):
            table = plugins.load(room, name).Options.model_json_schema()
            for key, told in table["properties"].items():
                yield name, key, told, key in table.get("required", ())


def the_range(key: dict[str, Any]) -> str | None:
    """Give the range of a number, in the words of the docs; None for what is no number."""
    told = next((one for one in key.get("anyOf", ()) if one.get("type") == "integer"), key)
    if told.get("type") not in {"integer", "number"}:
        return None
    if "exclusiveMinimum" in told:
        return f"above {told['exclusiveMinimum']:g}"
    low = _plain(told["minimum"])
    if "exclusiveMaximum" in told:
        return f"{low} to {told['exclusiveMaximum'] - 1}"
    return f"{low} to {_plain(told['maximum'])}" if "maximum" in told else f"{low} or more"


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"


def check_row(row: list[str], key: dict[str, Any], *, required: bool) -> None:
    default, bounds = row[2], row[3]
    if required:
        assert default == "required", row
    elif isinstance(key.get("default"), bool | int | float | str):
        assert default, row
        told = tomllib.loads(f"x = {default.strip('`')}")["x"]
        assert (told, type(told)) == (key["default"], type(key["default"])) or told == key["default"], row
    elif "default" in key and key["default"] is None:
        assert default == "none", row
    if (wanted := the_range(key)) is not None:
        assert bounds == wanted, row
    choices: list[str] = key.get("enum") or next((o["enum"] for o in key.get("anyOf", ()) if "enum" in o), [])
    assert re.findall(r"`([^`]+)`", bounds) == choices or not choices, row


def test_every_key_is_documented_with_its_default_and_range() -> None:
    documented = {row[0].strip("`"): row for row in rows((DOCS / "configuration.md").read_text())}
    keys = list(tables_of_keys())
    assert len(keys) > 30
    for path, key, required in keys:
        check_row(documented.get(path) or documented[as_a_pipelines(path)], key, required=required)


def as_a_pipelines(path: str) -> str:
    """Give the key of a pipeline that a named source's key is the same as, tables within it."""
    assert path.startswith(("sources.health.", "sources.privacy.")), path
    return path.replace("sources", "pipelines", 1)


def test_every_option_of_a_plugin_is_documented_with_its_default_and_range() -> None:
    text = (DOCS / "configuration.md").read_text()
    options = list(options_of_plugins())
    assert len(options) > 15
    for plugin, name, key, required in options:
        [row] = [row for row in rows(below(text, f"`{plugin}`")) if row[0] == f"`{name}`"]
        check_row(row, key, required=required)


@pytest.mark.parametrize(
    "page", [DOCS / "configuration.md", DOCS / "fieldbus.md", DOCS / "filters.md", ROOT / "README.md"]
)
def test_the_examples_are_valid(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_AGENT__MQTT__HOST", raising=False)
    examples = re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert examples
    for text in examples:
        config.parse(text, page.name)
        jsonschema.validate(tomllib.loads(text), schema())


def test_the_complete_example_has_every_key() -> None:
    text = (DOCS / "configuration.md").read_text().partition("```toml\n")[2].partition("```\n")[0]
    missing = [path for path, _, _ in tables_of_keys() if not re.search(rf"\b{path.split('.')[-1]}\b", text)]
    assert not missing


def limits() -> list[tuple[str, str]]:
    """Give the limit and the name of what holds it, for each row."""
    found = [row for row in rows((DOCS / "resource-limits.md").read_text()) if len(row) > 2]
    return [(row[1], name) for row in found if (name := row[2].strip("`")).startswith("agent.")]


def held(name: str) -> float:
    """Give the value of a constant, or of a parameter's default: ``agent.link.window.Window(max_bytes)``."""
    path, _, parameter = name.rstrip(")").partition("(")
    module, *rest = re.match(r"([a-z0-9_.]*[a-z0-9_])\.(\w+)(?:\.(\w+))?$", path).groups()  # type: ignore[union-attr]
    thing: Any = importlib.import_module(module)
    for part in filter(None, rest):
        thing = getattr(thing, part)
    value: float = inspect.signature(thing).parameters[parameter].default if parameter else thing
    return value


@pytest.mark.parametrize(("limit", "name"), limits())
def test_a_limit_is_the_one_in_the_code(limit: str, name: str) -> None:
    number, _, unit = limit.partition(" ")
    assert float(number) * UNITS[unit] == held(name)


def test_there_are_limits() -> None:
    assert len(limits()) > 50


RULED = ("protocol.md", "updates.md")


def rules(*pages: str) -> list[str]:
    text = "\n".join((DOCS / page).read_text() for page in pages)
    return re.findall(r"^- \*\*\[([a-z]+-\d+)\]\*\*", text, re.MULTILINE)


def test_no_two_rules_have_one_number() -> None:
    assert len(rules(*RULED)) == len(set(rules(*RULED))) > 50


@pytest.mark.parametrize("page", RULED)
def test_every_rule_of_the_protocol_has_a_number_and_a_test(page: str) -> None:
    numbers = rules(page)
    assert len(numbers) > 15
    table = rows(below((DOCS / page).read_text(), "Which test shows which rule"))
    assert [row[0] for row in table if row[0] != "rule"] == numbers
    assert [row[0] for row in table if not row[1]] == []


def test_a_rule_that_is_cited_exists() -> None:
    numbers = {*rules(*RULED)}
    kinds = {number.partition("-")[0] for number in numbers}
    for path in [*ROOT.glob("agent/**/*.py"), *ROOT.glob("tests/**/*.py"), *PAGES]:
        for cited in re.findall(rf"\[((?:{'|'.join(kinds)})-\d+)\]", path.read_text()):
            assert cited in numbers, path.name


@pytest.mark.parametrize("page", [*RULED, "failure-modes.md", "security.md"])
def test_a_test_that_is_named_exists(page: str) -> None:
    named = {*re.findall(r"`(test_\w+)`", (DOCS / page).read_text())}
    assert len(named) > 20
    code = "\n".join(path.read_text() for path in ROOT.glob("tests/**/test_*.py"))
    assert named - {*re.findall(r"def (test_\w+)\(", code)} == set()


def anchors(page: Path) -> set[str]:
    """Give the anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target
