"""What every test gets: its needs are checked before it starts, and it must leave nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from agent.backends import tflite
from agent.backends._runtimes import choose
from agent.confinement import landlock, seccomp
from agent.errors import ExtraMissing
from tests import leaks, preloaded, runtimes
from tests.simulators import postgres, rtsp_camera, tiny_models
from tests.simulators.cameras import ROOT, Cameras, compile_shim
from tests.system import container, emulated, oci, vm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulators.delivery_world import World

    MakeWorld = Callable[..., World]

SHARED = Path(__file__).resolve().parents[2] / "shared"
REQUIRE = "EDGE_AGENT_TESTS_REQUIRE"
"""Needs that must be met: a test that would skip for one of them fails. Comma-separated."""
NEEDS = (
    "mosquitto",
    "shared",
    "cameras",
    "system",
    "vm",
    "arm64",
    "image",
    "landlock",
    "postgresql",
    "alsa",
    "rtsp",
)
PROGRAMS = {"mosquitto": ("mosquitto", "mosquitto"), "alsa": ("arecord", "alsa-utils")}
"""Needs that are a program, and its package."""
_SIMULATED: dict[str, Callable[[], str]] = {
    "cameras": preloaded.missing,
    "system": container.missing,
    "vm": vm.missing,
    "arm64": emulated.missing,
    "image": oci.missing,
    "rtsp": rtsp_camera.missing,
}

REPRODUCIBLE = "EDGE_AGENT_TESTS_REPRODUCIBLE"
"""Set, property tests try the same examples each time, half as many: a verdict hangs on the commit alone."""

# A loaded machine is no failure; pytest-timeout bounds a test as a whole.
_SAME = bool(os.environ.get(REPRODUCIBLE))
settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=_SAME,
    max_examples=50 if _SAME else 100,
)
settings.load_profile("house")


def pytest_configure() -> None:
    """Refuse unknown needs, and look for the broker where Debian puts it."""
    if unknown := _required() - set(NEEDS):
        raise pytest.UsageError(f"{REQUIRE} names {', '.join(sorted(unknown))}; use {', '.join(NEEDS)}")
    # A shell lets what it starts in the background ignore SIGINT, and all that tests start would inherit it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose needs are not met, or fail it where they are required."""
    for need in NEEDS:
        if item.get_closest_marker(need):
            _see_to(need)


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Have a test that sees simulated cameras done where they are."""
    if not pyfuncitem.get_closest_marker(preloaded.MARK) or preloaded.inside():
        return None
    preloaded.judge(pyfuncitem)
    return True


def _required() -> set[str]:
    return {need.strip() for need in os.environ.get(REQUIRE, "").split(",") if need.strip()}


def _see_to(need: str) -> None:
    """Skip where a need is not met, or fail where it is required."""
    if what := _missing(need):
        if need in _required():
            pytest.fail(f"{REQUIRE} demands {need}: {what}", pytrace=False)
        pytest.skip(f"needs {need}: {what}")


def _missing(need: str) -> str:
    """Say what to do so that ``need`` is met; "" when it is."""
    if need in _SIMULATED:
        return _SIMULATED[need]()
    if need in PROGRAMS:
        program, package = PROGRAMS[need]
        return "" if shutil.which(program) else f"install {program} (Debian: apt-get install {package})"
    if need == "landlock":
        held = landlock.abi() and seccomp.available()
        return "" if held else "boot a kernel of 5.13 or later with lsm=landlock"
    if need == "postgresql":
        found = postgres.program("initdb") and postgres.program("postgres")
        return "" if found else "install PostgreSQL (Debian: apt-get install postgresql)"
    return (
        ""
        if (SHARED / "models").is_dir()
        else "put the folder of public models and pictures beside the repository, as ../shared"
    )


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real public models and pictures; for tests marked ``shared``."""
    return SHARED


@pytest.fixture(scope="session")
def v4l2_shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled simulator of V4L2 cameras."""
    _see_to("cameras")
    return compile_shim(tmp_path_factory.mktemp("v4l2"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """A PostgreSQL server for the session; for tests marked ``postgresql``."""
    _see_to("postgresql")
    folder = Path(tempfile.mkdtemp(prefix="edge-agent-pg-"))  # pytest's folders let no other user in
    try:
        with closing(postgres.Server(folder)) as server:
            yield server
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def machine(tmp_path: Path, v4l2_shim: Path) -> Cameras:
    """A machine without cameras yet; programs started through it see what is plugged in."""
    return Cameras(tmp_path / "machine", v4l2_shim)


@pytest.fixture(autouse=True)
def _simulated_cameras(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker(preloaded.MARK):
        root = request.getfixturevalue("tmp_path") / "machine"
        request.getfixturevalue("monkeypatch").setenv(ROOT, str(root))
        Cameras(root)


@pytest.fixture(autouse=True, scope="session")
def _runtime_is_the_chosen_one() -> None:
    """Where a runtime is chosen, it is the one that runs: nothing else would show that it does."""
    if runtimes.CHOSEN != "auto":
        backend = tflite.build(runtimes.options(tflite.Options), tiny_models.absolute())
        backend.close()
        if not backend.runtime.startswith(f"{runtimes.CHOSEN} "):
            pytest.fail(f"{runtimes.CHOSEN} is chosen, and {backend.runtime} runs", pytrace=False)


def pytest_report_header() -> str:
    """Say which runtime models run on."""
    try:
        return f"TFLite runtime: {choose(runtimes.CHOSEN)}"
    except ExtraMissing as error:  # the tests that need it fail
        return str(error)


@pytest.fixture(autouse=True)
def _test_leaves_nothing(request: pytest.FixtureRequest, _module_leaves_nothing: None) -> Iterator[None]:
    yield from _leaves_nothing(request, "this test")


@pytest.fixture(autouse=True, scope="module")
def _module_leaves_nothing(request: pytest.FixtureRequest, _session_leaves_nothing: None) -> Iterator[None]:
    mine = (item for item in request.session.items if item.path == request.path)
    if any(item.get_closest_marker("postgresql") for item in mine) and not _missing("postgresql"):
        request.getfixturevalue("postgresql")  # it outlives the module
    yield from _leaves_nothing(request, "a fixture of this module")
    if found := leaks.orphans():
        pytest.fail(f"this module left {'; '.join(found)}", pytrace=False)


@pytest.fixture(autouse=True, scope="session")
def _session_leaves_nothing(request: pytest.FixtureRequest) -> Iterator[None]:
    yield from _leaves_nothing(request, "a fixture of the session")


def _leaves_nothing(request: pytest.FixtureRequest, who: str) -> Iterator[None]:
    before = leaks.Holdings.now()
    failures = request.session.testsfailed
    yield
    if request.session.testsfailed > failures:
        return  # its traceback keeps objects alive; the failure itself is the news
    if found := leaks.since(before):
        pytest.fail(f"{who} left {'; '.join(found)}", pytrace=False)


@pytest.fixture
def make_world() -> Iterator[MakeWorld]:
    """Makes worlds around a delivery; they are cleared away in the end."""
    from tests.simulators.delivery_world import World

    made: list[World] = []

    def make(**settings: Any) -> World:
        made.append(World(**settings))
        return made[-1]

    yield make
    for world in made:
        world.close()
