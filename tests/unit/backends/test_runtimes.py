"""Which TFLite runtime is chosen, and what is said when none can be: real packages, broken on purpose."""

from __future__ import annotations

import platform
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent.backends import _runtime_errors, _runtimes
from agent.errors import ExtraMissing

if TYPE_CHECKING:
    from collections.abc import Callable

LITERT, SECOND = _runtime_errors.LITERT, _runtime_errors.TFLITE_RUNTIME
WORKS = """
class Interpreter:
    def __init__(self, **_): pass
    def allocate_tensors(self): pass
"""
NUMPY_2 = (
    "def Interpreter(**_): raise SystemError('<built-in method> returned a result with an exception set')"
)
GLIBC = 'raise ImportError("/lib/libm.so.6: version `GLIBC_9.99\' not found (required by wrapper.so)")'
LIBRARY = "raise ImportError('{}: cannot open shared object file: No such file or directory')"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Leaves this process with packages of these programs in place of the two runtimes."""

    def install(**programs: str) -> None:
        packages = {}
        for name in (LITERT, SECOND):
            packages[name] = f"{name.replace('-', '_')}_{tmp_path.name.replace('-', '_')}"
            if program := programs.get(name.replace("-", "_")):
                (tmp_path / packages[name]).mkdir()
                (tmp_path / packages[name] / "interpreter.py").write_text(program)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(_runtimes, "RUNTIMES", packages)

    return install


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes this process believe that it runs elsewhere."""

    def machine(name: str = "x86_64", python: tuple[int, int] = (3, 11), numpy: str = "2.4.6") -> None:
        monkeypatch.setattr(platform, "machine", lambda: name)
        monkeypatch.setattr(sys, "version_info", (*python, 0, "final", 0))
        monkeypatch.setattr(np, "__version__", numpy)

    return machine


def refusal(wanted: str = "auto") -> ExtraMissing:
    with pytest.raises(ExtraMissing) as caught:
        _runtimes.choose(wanted)
    assert "\n" not in str(caught.value)
    return caught.value


def test_the_best_that_is_installed_is_chosen_and_says_why(install: Callable[..., None]) -> None:
    install(ai_edge_litert=WORKS, tflite_runtime=WORKS)
    best, asked = _runtimes.choose(), _runtimes.choose(SECOND)
    assert (best.name, asked.name) == (LITERT, SECOND)
    assert best.why.startswith("preferred to tflite-runtime ")
    assert asked.why == "asked for"


def test_the_only_one_is_chosen(install: Callable[..., None]) -> None:
    install(tflite_runtime=WORKS)
    only = _runtimes.choose()
    assert (only.name, only.why) == (SECOND, "the only one installed")


def test_one_that_is_broken_is_passed_over_and_that_is_why(install: Callable[..., None]) -> None:
    install(ai_edge_litert=GLIBC, tflite_runtime=WORKS)
    found = _runtimes.choose()
    assert found.name == SECOND
    assert "needs glibc 9.99, and this system has " in found.why


def test_one_that_was_asked_for_is_never_replaced_by_another(install: Callable[..., None]) -> None:
    install(ai_edge_litert=WORKS)
    assert refusal(SECOND).problem.startswith("tflite-runtime is not installed")


def test_one_that_was_asked_for_and_is_broken_is_not_replaced_either(install: Callable[..., None]) -> None:
    install(ai_edge_litert=WORKS, tflite_runtime="raise ImportError('torn')")
    assert "does not work here: torn" in refusal(SECOND).problem


def test_a_build_for_numpy_1_is_told_with_both_versions_and_the_way_out(
    install: Callable[..., None], machine: Callable[..., None]
) -> None:
    install(tflite_runtime=NUMPY_2)
    machine(numpy="2.4.6")
    error = refusal()
    assert error.problem.endswith("was built for numpy 1, and numpy 2.4.6 is installed")
    assert error.hint == (
        "Run: pip install 'numpy<2' 'opencv-python-headless<4.12', "
        "or use ai-edge-litert: pip install 'ai-edge-litert>=2.1.6,<3'"
    )
    machine("armv7l")
    assert refusal().hint == "Run: pip install 'numpy<2' 'opencv-python-headless<4.12'"


def test_the_other_runtime_is_a_way_out_where_it_is_installed(
    install: Callable[..., None], machine: Callable[..., None]
) -> None:
    install(ai_edge_litert=WORKS, tflite_runtime=NUMPY_2)
    machine()
    assert refusal(SECOND).hint.endswith("'opencv-python-headless<4.12', or use ai-edge-litert")


def test_a_broken_one_with_numpy_1_is_not_blamed_on_numpy(
    install: Callable[..., None], machine: Callable[..., None]
) -> None:
    install(tflite_runtime=NUMPY_2)
    machine(numpy="1.26.4")
    assert "does not work here: <built-in method> returned" in refusal().problem


@pytest.mark.parametrize(
    ("program", "problem", "hint"),
    [
        (GLIBC, "needs glibc 9.99, and this system has ", "Use a newer release of the system"),
        (
            LIBRARY.format("libatomic.so.1"),
            "needs libatomic.so.1, which is not",
            "apt-get install libatomic1",
        ),
        (LIBRARY.format("libodd.so.3"), "needs libodd.so.3, which is not installed", "Install the system's"),
        ("raise OSError('wrapper.so: invalid ELF header')", "invalid ELF header", "--force-reinstall"),
        ("", "does not work here: module ", "--force-reinstall"),
    ],
)
def test_what_is_missing_or_broken_is_told_with_what_mends_it(
    install: Callable[..., None], machine: Callable[..., None], program: str, problem: str, hint: str
) -> None:
    install(ai_edge_litert=program or "# a folder that only has the name")
    machine()
    error = refusal()
    assert error.problem.startswith("ai-edge-litert ")
    assert problem in error.problem
    assert hint in error.hint


def test_where_both_are_broken_both_are_told(
    install: Callable[..., None], machine: Callable[..., None]
) -> None:
    install(ai_edge_litert=GLIBC, tflite_runtime=NUMPY_2)
    machine()
    problem = refusal().problem
    assert "needs glibc 9.99" in problem
    assert "was built for numpy 1" in problem


@pytest.mark.parametrize(
    ("where", "wanted", "told"),
    [
        (("x86_64", (3, 13)), "auto", ("none is installed", "Run: pip install 'ai-edge-litert>=2.1.6,<3'")),
        (
            ("aarch64", (3, 11)),
            SECOND,
            ("tflite-runtime is not installed", "Run: pip install 'tflite-runtime"),
        ),
        (
            ("x86_64", (3, 12)),
            SECOND,
            ("there is no tflite-runtime for Python", "Use Python 3.11, or use ai"),
        ),
        (("armv7l", (3, 11)), "auto", ("none is installed", "Run: pip install 'tflite-runtime>=2.13,<2.15'")),
        (("armv7l", (3, 13)), "auto", ("there is no tflite-runtime for Python", "Use Python 3.11")),
        (("armv7l", (3, 11)), LITERT, ("and there is none for armv7l", "Use tflite-runtime")),
    ],
)
def test_what_is_not_installed_is_told_with_what_installs_it_on_this_machine(
    install: Callable[..., None],
    machine: Callable[..., None],
    where: tuple[str, tuple[int, int]],
    wanted: str,
    told: tuple[str, str],
) -> None:
    install()
    machine(*where)
    error = refusal(wanted)
    assert told[0] in error.problem
    assert error.hint.startswith(told[1])


def test_the_commands_have_the_bounds_of_the_project_file() -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text())["project"]
    every = [*project["dependencies"], *project["optional-dependencies"]["tflite-runtime"]]
    bounds = {line.partition(";")[0].strip() for line in every}
    commands = (*_runtime_errors.INSTALL.values(), _runtime_errors._OLDER_NUMPY)
    named = {word.strip("'") for command in commands for word in command.split() if "<" in word}
    assert named <= bounds


def test_the_option_has_the_names_of_the_distributions() -> None:
    assert set(_runtime_errors.INSTALL) == set(_runtimes.RUNTIMES)
