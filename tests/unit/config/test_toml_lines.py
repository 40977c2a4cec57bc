"""The lines that the scanner finds, against files that are written together with the truth."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.config.toml_lines import Path, find

NAMES = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,4}", fullmatch=True),
    st.text("ab.=[]#\"' \\\u0085", min_size=1, max_size=4),
)
BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
VALUES = st.sampled_from(
    [
        "1",
        '"text"',
        "'a = 1'",
        '"[x]"',
        "[1, 2]",
        "[\n  1,\n  [2, 3], # [b]\n\n]",
        "[\n  { x = 1 },\n  { y = '[[z]]' },\n]",
        "{ a = 1, b = { c = [2] } }",
        '"""\n[table]\nkey = 1\n"""',
        '"""a "quoted" \\"""\n[b] = \\\n""""',
        "'''\n[[array]]\nkey = 'x'\n''''",
        "1979-05-27T07:32:00Z",
        "1 # [comment]",
    ]
)
GAPS = st.lists(st.sampled_from(["", "# [comment]", "# a = 1", "   ", "# \u2028\u0085 [x]"]), max_size=2)


@dataclass
class Draft:
    """A file as it is written, with the line of each path in it."""

    lines: list[str] = field(default_factory=list)
    truth: dict[Path, int] = field(default_factory=dict)

    def write(self, text: str, *paths: Path) -> None:
        for path in paths:
            self.truth.setdefault(path, len(self.lines) + 1)
        self.lines += text.split("\n")


def spelled(name: str) -> str:
    if set(name) <= BARE:
        return name
    return f"'{name}'" if "'" not in name and len(name) % 2 else json.dumps(name)


def parents(path: Path) -> list[Path]:
    return [path[:length] for length in range(1, len(path) + 1)]


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    draft = Draft()
    _keys(draw, draft, ())
    for name in draw(st.lists(NAMES, unique=True, max_size=3)):
        if any(path[0] == name for path in draft.truth):
            continue
        elements = draw(st.integers(0, 3))
        for number in range(max(1, elements)):
            draft.lines += draw(GAPS)
            path: Path = (name, number) if elements else (name,)
            brackets = ("[[", "]]") if elements else ("[ ", " ]")
            draft.write(f"{brackets[0]}{spelled(name)}{brackets[1]} # x", *parents(path))
            _keys(draw, draft, path)
            _child(draw, draft, path, name)
    return draft


def _child(draw: st.DrawFn, draft: Draft, above: Path, name: str) -> None:
    inner = draw(st.none() | NAMES)
    if inner is None or (*above, inner) in draft.truth:
        return
    draft.lines += draw(GAPS)
    if draw(st.booleans()):
        draft.write(f"[{spelled(name)} . {spelled(inner)}]", *parents((*above, inner)))
        _keys(draw, draft, (*above, inner))
    else:
        for number in range(2):
            path = (*above, inner, number)
            draft.write(f"[[{spelled(name)}.{spelled(inner)}]]", *parents(path))
            _keys(draw, draft, path)


def _keys(draw: st.DrawFn, draft: Draft, table: Path) -> None:
    for name in draw(st.lists(NAMES, unique=True, max_size=3)):
        draft.lines += draw(GAPS)
        rest = draw(st.none() | NAMES)
        path = (*table, name) if rest is None else (*table, name, rest)
        key = " . ".join(spelled(str(part)) for part in path[len(table) :])
        draft.write(f"{key} = {draw(VALUES)}", *parents(path)[len(table) :])


def leads_somewhere(tables: Any, path: Path) -> bool:
    for part in path:
        tables = tables[part]
    return True


@settings(max_examples=60)
@given(drafts())
def test_every_key_and_table_has_its_line(draft: Draft) -> None:
    text = "\n".join(draft.lines)
    tables = tomllib.loads(text)
    for path, line in draft.truth.items():
        assert leads_somewhere(tables, path)
        assert find(text, path) == line
        assert find(text, (*path, "missing", 3)) == line
    assert find(text, ("missing",)) is None


@settings(max_examples=20)
@given(drafts())
def test_lines_that_end_as_on_windows_are_counted_the_same(draft: Draft) -> None:
    text = "\r\n".join(draft.lines)
    for path, line in draft.truth.items():
        assert find(text, path) == line


@given(st.text("[]{}=.,#\"'\\\n ab1", max_size=60))
@example("a = '''")
@example("[[[")
@example('"""')
def test_a_scan_of_any_text_ends(text: str) -> None:
    line = find(text, ("a", 0, "b"))
    assert line is None or 1 <= line <= text.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = 1", (), None),
        ("a = { b = 1 }", ("a", "b"), 1),
        ("\na = [\n { b = 1 },\n { b = 2 } ]\nc = 1", ("a", 1, "b"), 2),
        ("\na = [\n { b = 1 },\n { b = 2 } ]\nc = 1", ("c",), 5),
        ("[[p]]\n[p.s]\nk=1\n[[p]]\n[p.s]\nk=1", ("p", 1, "s", "k"), 6),
        ("[[p]]\n[[p.q]]\n[[p.q]]\nk=1\n[[p]]\n[[p.q]]\nk=1", ("p", 1, "q", 0, "k"), 7),
        ("[a.b.c]\nk=1", ("a",), 1),
        ('"\\u0061" = 1', ("a",), 1),
        ("a.b = 1\na.c = 2", ("a", "c"), 2),
    ],
)
def test_what_stands_where(text: str, path: Path, line: int | None) -> None:
    assert find(text, path) == line
