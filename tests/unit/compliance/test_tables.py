"""The compliance tables: whole, honest about what shows each row, and the same as their pages."""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from agent.compliance import table
from release.compliance import PAGES, pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.compliance.table import Provision, Standard

ROOT = Path(__file__).resolve().parents[3]
STANDARDS = table.standards()
EN = {
    "5.0": "1",
    "5.1": "1 2 2A 3 4 5",
    "5.2": "1 2 3",
    "5.3": "1 2 3 4A 4B 5 6A 6B 7 8 9 10 11 12 13 14 15A 15B 16",
    "5.4": "1 2 3 4",
    "5.5": "1 2 3 4 5 6 7 8",
    "5.6": "1 2 3 4A 4B 5 6 7 8 9",
    "5.7": "1 2",
    "5.8": "1 2 3",
    "5.9": "1 2 3",
    "5.10": "1",
    "5.11": "1 2 3 4",
    "5.12": "1 2 3",
    "5.13": "1A 1B",
    "6": "1 2 3A 3B 4 5 6 7 8",
}
NIST = {"ID": 2, "CONF": 3, "DATA": 3, "ACC": 3, "UPD": 6, "STATE": 5}
IEC = (
    "CR 1.1|CR 1.1 RE(1)|CR 1.2|CR 1.3|CR 1.4|CR 1.5|CR 1.7|CR 1.8|CR 1.9|CR 1.10|CR 1.11|CR 1.12|CR 1.14"
    "|CR 2.1|CR 2.1 RE(1)|CR 2.1 RE(2)|CR 2.2|SAR 2.4|SAR 2.4 RE(1)|CR 2.5|CR 2.6|CR 2.8|CR 2.9|CR 2.10"
    "|CR 2.11|CR 2.11 RE(1)|CR 2.12|EDR 2.13"
    "|CR 3.1|CR 3.1 RE(1)|SAR 3.2|CR 3.3|CR 3.4|CR 3.4 RE(1)|CR 3.5|CR 3.6|CR 3.7|CR 3.8|CR 3.9"
    "|EDR 3.10|EDR 3.10 RE(1)|EDR 3.11|EDR 3.12|EDR 3.13|EDR 3.14|EDR 3.14 RE(1)"
    "|CR 4.1|CR 4.2|CR 4.3|CR 5.1|CR 6.1|CR 6.2"
    "|CR 7.1|CR 7.1 RE(1)|CR 7.2|CR 7.3|CR 7.3 RE(1)|CR 7.4|CR 7.6|CR 7.7|CR 7.8"
)
WANTED = {
    "en-303-645": [f"{part}-{one}" for part, ones in EN.items() for one in ones.split()],
    "cra": ["I-1", *(f"I-2-{one}" for one in "abcdefghijklm"), *(f"II-{n}" for n in range(1, 9))],
    "nistir-8259a": [f"{part}-{n}" for part, most in NIST.items() for n in range(1, most + 1)],
    "iec-62443-4-2": IEC.split("|"),
}


def rows() -> Iterator[tuple[Standard, Provision]]:
    return ((standard, row) for standard in STANDARDS for row in standard.provisions)


@pytest.mark.parametrize("standard", STANDARDS, ids=lambda one: one.id)
def test_each_provision_of_the_standard_stands_there_once_in_its_order(standard: Standard) -> None:
    assert [row.id for row in standard.provisions] == WANTED[standard.id]


def test_the_pages_are_made_from_the_tables() -> None:
    kept = {path.name: path.read_text() for path in PAGES.iterdir()}
    assert kept == pages(), "run: make pages"


@functools.cache
def named_in(file: str) -> dict[str, bool]:
    """Give each test of a file, and whether it is skipped whatever the machine has."""
    tree = ast.parse((ROOT / "tests" / file).read_text())
    marks = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and any(ast.unparse(one) == "pytestmark" for one in node.targets)
    ]
    return {
        node.name: any(skips(one) for one in (*node.decorator_list, *marks))
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def skips(mark: ast.expr) -> bool:
    """Whether a mark, or one of a list of marks, is ``pytest.mark.skip``; ``skipif`` asks the machine."""
    return any(isinstance(node, ast.Attribute) and node.attr == "skip" for node in ast.walk(mark))


def test_each_test_that_is_named_exists_and_is_not_skipped_everywhere() -> None:
    wrong = []
    for standard, row in rows():
        for named in row.tests:
            file, _, name = named.partition("::")
            known = named_in(file) if (ROOT / "tests" / file).is_file() else {}
            if known.get(name, True):
                wrong.append(f"{standard.id} {row.id}: {named}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("mark", "always"),
    [
        ("pytest.mark.skip", True),
        ("pytest.mark.skip(reason='later')", True),
        ("[pytest.mark.system, pytest.mark.skip]", True),
        ("pytest.mark.skipif(not LINUX, reason='Linux')", False),
        ("pytest.mark.landlock", False),
    ],
)
def test_a_test_that_never_runs_is_seen(mark: str, always: bool) -> None:
    assert skips(ast.parse(mark, mode="eval").body) is always


def test_each_page_that_is_named_exists() -> None:
    missing = {page for _, row in rows() for page in row.pages if not (ROOT / page).is_file()}
    assert missing == set()


def test_no_verdict_is_without_its_reason() -> None:
    assert [row.id for _, row in rows() if not (row.asks and row.how)] == []


@pytest.mark.parametrize(
    "change",
    [
        {"tests": ()},
        {"lacks": "A part."},
        {"verdict": "partly"},
        {"verdict": "not met"},
        {"verdict": "more or less"},
        {"how": "in\ntwo lines"},
        {"asks": "a | b"},
        {"source": "unknown"},
    ],
)
def test_a_row_that_contradicts_itself_is_refused(change: dict[str, Any]) -> None:
    row = {"id": "1", "part": "p", "asks": "a", "verdict": "met", "how": "h", "tests": ("a.py::test_b",)}
    assert table.Provision.model_validate(row).verdict == "met"
    with pytest.raises(ValidationError):
        table.Provision.model_validate(row | change)
