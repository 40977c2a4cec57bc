"""Imports go down only: the levels of ARCHITECTURE.md, read from the source."""

from __future__ import annotations

import ast
import functools
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import agent
from agent.cli.main import VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(agent.__file__).parent

WORDS = {"types", "errors", "events", "fsm", "clock", "plugins", "_pydantic"}
ROOMS = {
    "installing",
    "capture",
    "accelerator",
    "delegates",
    "link",
    "store",
    "bundles",
    "updater",
    "tuning",
    "workers",
    "pipeline",
    "probing",
    "compliance",
    "sources",
    "backends",
    "decoders",
    "gates",
    "filters",
    "ui",
}
PROGRAMS = {"cli", "fleet", "demo"}
# What joins rooms, or serves the supervisor's loop.
JOINTS = {
    "activation",
    "alerts",
    "commands",
    "configuring",
    "dispatch",
    "errands",
    "feeding",
    "foreground",
    "governor",
    "home_assistant",
    "host",
    "journal",
    "metering",
    "plan",
    "recovery",
    "seat",
    "supervision",
    "taking",
    "uplink",
}
# Parts of a program that stand beside its main.py, or in a room of their own.
PROGRAM_PARTS = {
    "agent.probing.trying",
    "agent.taking.frames",
    "agent.tuning.trial",
}
PROGRAM_ROOMS = ("agent.workers.program",)

# Level 1 computes; what waits, stores or talks belongs higher up.
IMPURE = {"asyncio", "multiprocessing", "selectors", "socket", "sqlite3", "subprocess", "threading", "time"}
# Except for what more than one room does in one way.
SHARED = {
    "agent.sqlite",
    "agent.processes.ipc",
    "agent.processes.child",
    "agent.processes.watch",
    "agent.launcher.launched",
}

# Who may import what from outside: everyone else goes through them.
OWNERS = {
    "paho": ("agent.link", "agent.updater", "agent.sources.sampling.mqtt", "agent.mqtt.client"),
    "ai_edge_litert": ("agent.backends",),
    "tflite_runtime": ("agent.backends",),
    "sqlite3": ("agent.sqlite", "agent.store", "agent.fleet", "agent.demo.account"),
    "sqlite_utils": ("agent.store.migrate", "agent.cli"),
    "cryptography": (
        "agent.trust.signing",
        "agent.trust.certificates",
        "agent.fleet.repository",
        "agent.fleet.identity",
    ),
    "tuf": ("agent.updater", "agent.fleet", "agent.cli.tuf"),
    "securesystemslib": ("agent.updater", "agent.fleet"),
    "urllib3": ("agent.updater.https",),
    "ai_edge_quantizer": ("agent.fleet.packing",),
    "amqtt": ("agent.demo",),
    "typer": ("agent.fleet",),
    "psycopg": ("agent.fleet.collecting.postgres",),
    "pymodbus": (),  # what a worker loads of these three brings ssl, and sqlite3: docs/adr/0016
    "can": (),
    "cantools": (),
    "pickle": (),
    "multiprocessing": (),
}


def level(module: str) -> int:
    """A top-level module that is listed nowhere is on level 1."""
    room, _, rest = module.removeprefix("agent").removeprefix(".").partition(".")
    if room == "" or room in WORDS:
        return 0
    if room in PROGRAMS or rest == "main" or module in PROGRAM_PARTS or module.startswith(PROGRAM_ROOMS):
        return 4
    if room in JOINTS:
        return 3
    return 2 if room in ROOMS else 1


def room(module: str) -> str:
    return module.split(".")[1] if level(module) == 2 else ""


Sources = dict[str, str]
"""The text of each module, by its dotted name."""


@functools.cache
def imports(text: str) -> tuple[tuple[int, str, str], ...]:
    """Give (line, module, name) of every import, those inside functions and those for types included."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.lineno, node.module or "", alias.name) for alias in node.names]
    return tuple(found)


def imported(sources: Sources, module: str) -> Iterator[tuple[int, str]]:
    """Give (line, module) of every import; a name that is a module itself is what is imported."""
    for line, target, name in imports(sources[module]):
        inner = f"{target}.{name}"
        yield line, inner if inner in sources else target


def climbs(sources: Sources) -> list[str]:
    """Name each import that goes up, or from one room of level 2 into another."""
    found = []
    for module in sorted(sources):
        for line, target in imported(sources, module):
            if target not in sources:
                continue
            if level(target) > level(module):
                found.append(
                    f"{module}:{line} (level {level(module)}) imports {target} (level {level(target)})"
                )
            elif room(module) and room(target) and room(module) != room(target):
                found.append(f"{module}:{line} imports its sibling {target}")
    return found


def strays(sources: Sources) -> list[str]:
    """Name each import from outside that belongs to another part, or makes level 1 impure."""
    found = []
    for module in sorted(sources):
        for line, target in imported(sources, module):
            top = target.split(".")[0]
            if top in OWNERS and not module.startswith(OWNERS[top]):
                found.append(f"{module}:{line} imports {top}")
            elif level(module) == 1 and module not in SHARED and top in IMPURE:
                found.append(f"{module}:{line} is on level 1 and imports {top}")
    return found


@pytest.fixture(scope="module")
def sources() -> Sources:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path.read_text()
    return found


def test_imports_go_down_only_and_siblings_do_not_know_each_other(sources: Sources) -> None:
    found = climbs(sources)
    assert not found, "\n".join(found)


def test_what_comes_from_outside_is_imported_by_its_owners_only(sources: Sources) -> None:
    found = strays(sources)
    assert not found, "\n".join(found)


def test_what_loads_mqtt_in_a_worker_is_imported_by_the_source_of_that_kind_alone(sources: Sources) -> None:
    wanted = "agent.sources.sampling.mqtt"
    found = [module for module in sources for _, target in imported(sources, module) if target == wanted]
    assert found == ["agent.sources.mqtt"]


def test_no_module_needs_itself_in_a_circle_not_even_for_its_types(sources: Sources) -> None:
    graph = {
        module: {target for _, target in imported(sources, module) if target in {*sources} - {module}}
        for module in sources
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])), pytrace=False)


def test_rooms_need_each_other_one_way_only(sources: Sources) -> None:
    """Programs may join rooms both ways: a worker's program starts what the room of workers looks after."""
    graph: dict[str, set[str]] = {}
    for module in sources:
        for _, target in imported(sources, module):
            deep = 3 if max(level(module), level(target)) == 4 else 2  # the rooms of a program, or of all
            here, there = (".".join(one.split(".")[1:deep]) for one in (module, target))
            if here != there and min(module.count("."), target.count(".")) >= deep - 1 and target in sources:
                graph.setdefault(here, set()).add(there)
    assert {"store", "supervision", "workers", "cli.reporting", "fleet.verbs"} <= graph.keys()
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" needs ".join(reversed(error.args[1])), pytrace=False)


def test_verbs_stand_at_the_top_of_the_command_line_and_its_rooms_know_none_of_them(sources: Sources) -> None:
    verbs = {"agent.cli.main", *(f"agent.cli.{verb}" for verb in VERBS)}
    rooms = {module for module in sources if module.startswith("agent.cli.")} - verbs
    assert {one for one in rooms if one.count(".") == 2} == {one.rpartition(".")[0] for one in rooms} - {
        "agent.cli"
    }
    found = [
        f"{module}:{line} imports the verb {target}"
        for module in sorted(sources.keys() - {"agent.cli.main"})
        for line, target in imported(sources, module)
        if target in verbs - {"agent.cli.main"}
    ]
    assert not found, "\n".join(found)


def test_the_package_is_there(sources: Sources) -> None:
    assert {"agent", "agent.types", "agent.link.topics", "agent.workers.main"} <= sources.keys()


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("agent.errors", "from agent.config.settings import Settings"),
        ("agent.config.settings", "import agent.link.mqtt"),
        ("agent.config.settings", "def f():\n    from agent.link import mqtt"),
        ("agent.store.thread", "from agent.link.mqtt import Link"),
        ("agent.store.thread", "if TYPE_CHECKING:\n    from agent.link.mqtt import Link"),
        ("agent.store.thread", "from agent.supervision import supervisor"),
        ("agent.store.thread", "from agent.workers.main import main"),
        ("agent.pipeline.runner", "import agent.cli"),
    ],
)
def test_an_import_that_climbs_is_found(module: str, text: str) -> None:
    others = ["agent", "agent.cli", "agent.config.settings", "agent.link", "agent.link.mqtt"]
    others += ["agent.supervision.supervisor", "agent.workers.main"]
    assert len(climbs({**dict.fromkeys(others, ""), module: text})) == 1


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("agent.link.topics", "from agent.errors import AgentError"),
        ("agent.link.mqtt", "from agent.link import topics"),
        ("agent.workers.main", "from agent.pipeline import runner"),
        ("agent.cli.run", "from agent.supervision.supervisor import Supervisor"),
        ("agent.config.settings", "from agent import errors"),
    ],
)
def test_an_import_that_goes_down_is_fine(module: str, text: str) -> None:
    others = ["agent", "agent.errors", "agent.link.topics", "agent.pipeline.runner"]
    others += ["agent.supervision.supervisor"]
    assert climbs({**dict.fromkeys(others, ""), module: text}) == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("agent.store.thread", "import paho.mqtt.client"),
        ("agent.cli.doctor", "from ai_edge_litert.interpreter import Interpreter"),
        ("agent.link.mqtt", "import pickle"),
        ("agent.manifest", "import time"),
    ],
)
def test_a_stray_import_is_found(module: str, text: str) -> None:
    assert len(strays({module: text})) == 1
