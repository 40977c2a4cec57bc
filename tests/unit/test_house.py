"""The rules of the house that no linter knows: short files, no swallowed errors, no traces of a machine."""

from __future__ import annotations

import ast
import functools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES = 300
FUNCTION_LINES = 60

# The named boundaries where a broad except stands, once each; two pages count them.
BOUNDARIES = [
    "agent/dispatch/gate.py",
    "agent/link/turns.py",
    "agent/processes/program.py",
    "agent/workers/main.py",
]
COUNT = {1: "one", 2: "two", 3: "three", 4: "four"}[len(BOUNDARIES)]
MARKER = re.compile(r"# noqa: .*\bBLE001\b")

OURS = ("agent", "tests", "bench", "models")
HIDDEN_BUT_OURS = {".ci", ".dockerignore", ".gitignore"}
NOT_OURS = {"__pycache__", "build", "dist", "node_modules"}

# Home folders, and hosts or networks that mean something on one site only.
TRACES = re.compile(
    r"(?:^|[\s\"'`=(:])/(?:home|Users|root)/[\w.]"
    r"|\b(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}\b"
    r"|\b[\w-]+\.(?:internal|corp|lan)\b"
)


def files() -> Iterator[Path]:
    """Give every file of the project, whether git knows it yet or not."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [n for n in folders if n not in NOT_OURS and (n[0] != "." or n in HIDDEN_BUT_OURS)]
        for name in names:
            if name[0] != "." or name in HIDDEN_BUT_OURS:
                yield Path(folder, name)


MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in files()
    if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in OURS
)
AGENT = [name for name in MODULES if name.startswith("agent/")]


@functools.cache
def parse(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text())


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def long_functions(tree: ast.AST) -> list[str]:
    sizes = {f: (f.end_lineno or 0) - f.lineno + 1 for f in functions(tree)}
    return [
        f"line {f.lineno}: {f.name} has {size} lines" for f, size in sizes.items() if size > FUNCTION_LINES
    ]


def swallowed(tree: ast.AST) -> list[str]:
    """Name handlers that do nothing, and ``suppress`` of everything."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and all(map(_does_nothing, node.body)):
            found.append(f"line {node.lineno}: an exception is swallowed")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            found.append(f"line {node.lineno}: suppress() swallows")
    return found


def _does_nothing(statement: ast.stmt) -> bool:
    bare = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return bare or isinstance(statement, ast.Pass | ast.Continue)


def broad(tree: ast.AST) -> list[int]:
    """Give the lines of handlers that catch everything."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or re.search(r"\b(Base)?Exception\b", ast.unparse(node.type)))
    ]


def unannotated(tree: ast.AST) -> list[str]:
    found = []
    for function in functions(tree):
        spec = function.args
        every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
        bare = [a.arg for a in every if a and a.annotation is None and a.arg not in {"self", "cls"}]
        if function.returns is None or bare:
            found.append(
                f"line {function.lineno}: {function.name} lacks {', '.join(bare) or 'its return type'}"
            )
    return found


def breaches(names: Iterable[str], check: Callable[[ast.Module], list[str]]) -> str:
    """Name what a check finds, a line each. One test asks for all files: thousands would cost a minute."""
    return "\n".join(f"{name}: {found}" for name in names for found in check(parse(name)))


def test_files_and_functions_can_be_read_in_one_sitting() -> None:
    lines = {name: len((ROOT / name).read_text().splitlines()) for name in MODULES}
    assert {name: count for name, count in lines.items() if count > FILE_LINES} == {}
    assert breaches(MODULES, long_functions) == ""


def test_no_exception_is_swallowed() -> None:
    assert breaches(AGENT, swallowed) == ""


def test_everything_is_caught_at_the_named_boundaries_only_and_once() -> None:
    assert [name for name in AGENT for _ in broad(parse(name))] == BOUNDARIES


def test_each_boundary_is_marked_and_the_pages_count_them() -> None:
    assert [name for name in AGENT for _ in MARKER.findall((ROOT / name).read_text())] == BOUNDARIES
    for page in ("ARCHITECTURE.md", "CONTRIBUTING.md"):
        assert f"at {COUNT} named boundaries" in (ROOT / page).read_text()


def test_every_function_is_annotated() -> None:
    assert breaches(MODULES, unannotated) == ""


def test_every_module_says_what_it_is_for() -> None:
    named = [name for name in MODULES if not name.startswith("tests/")]
    assert [name for name in named if not ast.get_docstring(parse(name))] == []


def test_no_file_holds_a_path_or_a_host_of_one_machine() -> None:
    here = f"{ROOT}/"
    # A checkout in /opt/edge-agent would find the paths of an installed agent.
    also = re.compile(re.escape(here)) if len(ROOT.parts) > 2 and ROOT.parts[1] != "opt" else None
    found = []
    for path in files():
        content = path.read_bytes()
        if b"\0" in content or path == Path(__file__):
            continue
        for number, line in enumerate(content.decode().splitlines(), start=1):
            if TRACES.search(line) or (also and also.search(line)):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (swallowed, "try:\n    f()\nexcept OSError:\n    pass"),
        (swallowed, "try:\n    f()\nexcept OSError:\n    ..."),
        (swallowed, "for x in y:\n    try:\n        f()\n    except OSError:\n        continue"),
        (swallowed, "with contextlib.suppress(OSError):\n    f()"),
        (broad, "try:\n    f()\nexcept:\n    g()"),
        (broad, "try:\n    f()\nexcept (OSError, Exception) as e:\n    g(e)"),
        (broad, "try:\n    f()\nexcept BaseException:\n    raise"),
        (unannotated, "def f(a) -> None: ..."),
        (unannotated, "def f(*a) -> None: ..."),
        (unannotated, "def f(): ..."),
        (long_functions, "def f() -> None:\n" + "    f()\n" * 60),
    ],
)
def test_a_breach_is_found(check: object, text: str) -> None:
    assert callable(check)
    assert len(check(ast.parse(text))) == 1


@pytest.mark.parametrize("line", ["cd /home/me/x", "at 192.168.1.7", "db.prod.internal", "see /root/.config"])
def test_a_trace_is_found(line: str) -> None:
    assert TRACES.search(line)


@pytest.mark.parametrize(
    "line", ["~/.local/state", "192.0.2.1", "broker.example", "2.10.20.3", "the root/leaf"]
)
def test_what_looks_like_a_trace_is_none(line: str) -> None:
    assert not TRACES.search(line)
