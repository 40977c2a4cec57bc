"""What the processes must never load: seen in a fresh interpreter, not guessed from the source."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import pytest

from agent import accelerator, backends, decoders, delegates, filters, gates, pipeline, sources

NOT_IN_SUPERVISOR = ["numpy", "cv2", "ai_edge_litert", "tflite_runtime", "sqlite_utils"]
NOT_IN_WORKER = ["sqlite3", "ssl", "cryptography", "paho"]

# Who loads what from outside, whole: a package that is not here costs memory on every device.
BORDERS = {"annotated_types", "orjson", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection"}
CRYPTO = {"cryptography", "_cffi_backend", "_openssl", "backports"}
UPDATES = {"tuf", "securesystemslib", "urllib3", "google", "paho"}
RUN = [
    "agent.cli.run",
    "agent.cli.running.wiring",
    "agent.supervision.supervisor",
    "agent.store.thread",
    "agent.store.folder",
    "agent.supervision.tunings",
    "agent.alerts",
]
WORKER = [
    "agent.workers.main",
    "agent.workers.program.assembly",
    "agent.workers.program.easing",
    "agent.workers.program.accelerating",
    "agent.backends.tflite",
    "agent.decoders.classification",
    "agent.sources.synthetic",
]
LARGE = {
    "asyncio", "csv", "distutils", "email", "http", "importlib.metadata", "multiprocessing", "ssl",
    "unittest", "urllib.request", "xml", "zipfile",
}  # fmt: skip
"""Of the standard library, what costs half a megabyte or more, with what it loads itself."""

LISTING = """
import importlib, json, sys

before = set(sys.modules)  # what an environment has every Python load is not ours
for module in json.loads(sys.argv[1]):
    importlib.import_module(module)
print(json.dumps(list(set(sys.modules) - before)))
"""

# Imports the modules, and says of each unwanted one which lines led to its first import.
PROGRAM = """
import importlib, json, sys, traceback

wanted, unwanted = json.loads(sys.argv[1])
blame = {}

class Watch:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in unwanted and name not in blame:
            stack = [f for f in traceback.extract_stack() if "importlib" not in f.filename]
            blame[name] = [f"{f.filename}:{f.lineno}" for f in stack[-4:-1]]

sys.meta_path.insert(0, Watch)
for module in wanted:
    importlib.import_module(module)
print(json.dumps({name: blame[name] for name in unwanted if name in sys.modules}))
"""


def loaded(modules: list[str], unwanted: list[str]) -> dict[str, list[str]]:
    """Import ``modules`` in a process of their own; give what was loaded of ``unwanted``, and from where."""
    command = [sys.executable, "-I", "-c", PROGRAM, json.dumps([modules, unwanted])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def packages(modules: list[str]) -> tuple[set[str], set[str]]:
    """Import ``modules`` likewise; give what was loaded from outside, and which of ``LARGE``."""
    command = [sys.executable, "-I", "-c", LISTING, json.dumps(modules)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    names = set(json.loads(done.stdout))
    roots = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"__main__", "agent"}
    return {one for one in roots if not one.startswith("_sysconfigdata")}, names & LARGE


def plugins_of_a_worker() -> list[str]:
    rooms = (sources, gates, backends, decoders, filters, pipeline, accelerator, delegates)
    return [m.name for room in rooms for m in pkgutil.iter_modules(room.__path__, f"{room.__name__}.")]


@pytest.mark.parametrize(
    "module",
    [
        "agent.supervision.supervisor",
        "agent.cli.main",
        "agent.store.thread",
        "agent.link.mqtt",
        "agent.config.settings",
        "agent.recovery.reset_main",
    ],
)
def test_the_supervisor_loads_no_arrays_pictures_or_models(module: str) -> None:
    assert loaded([module], NOT_IN_SUPERVISOR) == {}


@pytest.mark.parametrize(
    "module", ["agent.fleet.packing.pack", "agent.fleet.packing.quantize", "agent.fleet.deploying.deploy"]
)
def test_where_the_operators_keys_are_no_model_is_run(module: str) -> None:
    assert loaded([module], NOT_IN_SUPERVISOR) == {}


def test_a_worker_loads_no_database_crypto_or_broker() -> None:
    modules = [
        "agent.workers.main",
        "agent.workers.program.accelerating",
        "agent.workers.program.assembly",
        "agent.pipeline.media.film",
        "agent.pipeline.media.step",
        *plugins_of_a_worker(),
    ]
    assert len(modules) > 8
    assert loaded(modules, NOT_IN_WORKER) == {}


def test_a_worker_that_listens_to_a_broker_loads_mqtt_and_tls_when_it_opens_its_source_and_no_more() -> None:
    assert loaded(["agent.sources.mqtt"], NOT_IN_WORKER) == {}
    assert loaded(["agent.sources.sampling.mqtt"], NOT_IN_WORKER).keys() == {"paho", "ssl"}


def test_an_accelerator_process_loads_a_runtime_and_nothing_else_that_is_heavy() -> None:
    modules = ["agent.accelerator.main", "agent.accelerator.serving", "agent.backends.tflite"]
    assert loaded(modules, [*NOT_IN_WORKER, "cv2"]) == {}
    unwanted = [*NOT_IN_SUPERVISOR, *NOT_IN_WORKER]
    assert loaded(["agent.accelerator.main", "agent.accelerator.spec"], unwanted) == {}


def test_a_launcher_loads_nothing_that_is_heavy() -> None:
    assert loaded(["agent.launcher.main"], [*NOT_IN_SUPERVISOR, *NOT_IN_WORKER, "pydantic"]) == {}


def test_a_capture_process_loads_what_its_source_needs_and_no_model_database_or_broker() -> None:
    unwanted = [*NOT_IN_WORKER, "ai_edge_litert", "tflite_runtime"]
    modules = ["agent.capture.main", "agent.capture.hub", "agent.capture.pump", "agent.capture.serving"]
    assert loaded([*modules, "agent.pipeline.privacy"], unwanted) == {}
    before_it_is_confined = ["agent.capture.main", "agent.sources.synthetic", "agent.capture.feed"]
    assert loaded(before_it_is_confined, [*unwanted, *NOT_IN_SUPERVISOR]) == {}


def test_an_updater_loads_no_arrays_models_or_databases() -> None:
    modules = ["agent.updater.main", "agent.updater.session", "agent.updater.mirrored", "agent.link.bulk"]
    assert loaded(modules, [*NOT_IN_SUPERVISOR, "sqlite3", "requests", "typer", "rich"]) == {}


def test_the_command_line_of_edgectl_is_read_before_any_program_is_loaded() -> None:
    heavy = ["numpy", "cv2", "tuf", "securesystemslib", "cryptography", "paho", "sqlite3", "rich.progress"]
    assert loaded(["agent.fleet.commands"], heavy) == {}


@pytest.mark.parametrize(
    ("modules", "outside", "large"),
    [
        pytest.param(RUN, BORDERS, set(), id="supervisor without a broker"),
        pytest.param(
            [*RUN, "agent.uplink.uplink", "agent.supervision.vitals", "agent.home_assistant.partner"],
            BORDERS | {"paho"},
            {"email", "http", "ssl", "urllib.request"},
            id="supervisor with a broker",
        ),
        pytest.param(
            [*RUN, "agent.uplink.uplink", "agent.activation.manager", "agent.activation.site"],
            BORDERS | {"paho"},
            {"email", "http", "ssl", "urllib.request"},
            id="supervisor with models from the operator",
        ),
        pytest.param(WORKER, BORDERS | {"numpy", "cv2"}, set(), id="worker"),
        pytest.param(
            ["agent.capture.main", "agent.capture.hub", "agent.capture.pump", "agent.capture.serving"],
            BORDERS | {"numpy"},
            set(),
            id="capture",
        ),
        pytest.param(["agent.accelerator.main"], BORDERS, set(), id="accelerator"),
        pytest.param(
            ["agent.updater.main", "agent.updater.session", "agent.updater.mirrored", "agent.link.bulk"],
            BORDERS | CRYPTO | UPDATES,
            {"csv", "email", "http", "importlib.metadata", "ssl", "urllib.request", "zipfile"},
            id="updater",
        ),
        pytest.param(["agent.launcher.main"], {"orjson"}, set(), id="launcher"),
    ],
)
def test_a_process_loads_what_it_needs_and_nothing_else_that_is_large(
    modules: list[str], outside: set[str], large: set[str]
) -> None:
    found, costly = packages(modules)
    assert found - {"pydantic"} <= outside  # its name alone: agent._pydantic
    assert costly <= large


def test_only_the_verb_that_is_asked_for_is_loaded() -> None:
    code = "from agent.cli.main import parser; parser(['version']); import sys; print(*sys.modules)"
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "agent.cli.version" in done.stdout.split()
    assert "agent.cli.run" not in done.stdout.split()


def test_a_breach_is_seen_and_its_origin_named() -> None:
    found = loaded(["agent.tensors"], ["numpy", "sqlite3"])
    assert found.keys() == {"numpy"}
    assert any("tensors.py" in line for line in found["numpy"])
