"""Measuring the bundled models, and comparing with their cards."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from models import evaluate
from models.evaluate import card_values, evaluated, found, load

if TYPE_CHECKING:
    from collections.abc import Iterator

MODELS = Path(evaluate.__file__).parent
CARD = """
# toy

| condition | right | remarks |
|---|---|---|
| plain | 0.950 | |
| hard (half of it hidden) | **0.912** | 0.2 |

| condition | other |
|---|---|
| plain | 0.1 |
"""


@dataclass
class Toy:
    """A model whose values are known."""

    values: dict[str, float]
    METRIC: str = "share"
    TARGET: float = 0.9
    CONDITIONS: tuple[str, ...] = ("plain", "hard")
    DEMANDED: tuple[str, ...] = ("plain", "hard")
    QUICK: int = 7
    counts: list[int | None] = field(default_factory=list)

    def measure(self, folder: Path, count: int | None = None) -> Iterator[tuple[str, float]]:
        assert (folder / "README.md").is_file()
        self.counts.append(count)
        yield from self.values.items()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "README.md").write_text(CARD)
    return tmp_path


def test_a_card_gives_the_first_number_of_each_conditions_first_row() -> None:
    assert card_values(CARD, ("plain", "hard", "missing")) == {"plain": 0.95, "hard": 0.912}


@pytest.mark.parametrize(
    ("hard", "matches", "reaches"),
    [(0.9124, True, True), (0.92, False, True), (0.87, False, False), (float("nan"), False, False)],
)
def test_a_value_must_agree_with_the_card_and_reach_the_target(
    folder: Path, hard: float, matches: bool, reaches: bool
) -> None:
    plain, other = evaluated(folder, Toy({"plain": 0.9504, "hard": hard}), quick=False)
    assert (plain["ok"], plain["card"], plain["value"]) == (True, 0.95, 0.9504)
    assert (other["matches"], other["reaches"], other["ok"]) == (matches, reaches, matches and reaches)


def test_a_condition_that_the_card_leaves_out_is_no_match(folder: Path) -> None:
    (row,) = evaluated(folder, Toy({"new": 0.99}), quick=False)
    assert (row["card"], row["ok"]) == (None, False)


def test_a_quick_look_takes_few_samples_and_is_lenient(folder: Path) -> None:
    toy = Toy({"plain": 0.93, "hard": 0.88})
    assert all(row["ok"] for row in evaluated(folder, toy, quick=True))
    assert not any(row["ok"] for row in evaluated(folder, toy, quick=False))
    assert toy.counts == [7, None]


def test_a_condition_in_which_nothing_is_demanded_must_only_agree_with_the_card(folder: Path) -> None:
    toy = Toy({"plain": 0.95, "hard": 0.912}, TARGET=0.94, DEMANDED=("plain",))
    plain, hard = evaluated(folder, toy, quick=False)
    assert (plain["target"], plain["ok"], hard["target"], hard["ok"]) == (0.94, True, None, True)
    assert not any(row["ok"] for row in evaluated(folder, Toy({"hard": 0.92}, DEMANDED=()), quick=False))


@pytest.mark.parametrize("name", found())
def test_every_card_states_every_condition_and_no_value_below_the_target(name: str) -> None:
    evaluation = load(name)
    stated = card_values((MODELS / name / "README.md").read_text(), evaluation.CONDITIONS)
    assert stated.keys() == set(evaluation.CONDITIONS)
    assert set(evaluation.DEMANDED) <= stated.keys()
    assert min(stated[one] for one in evaluation.DEMANDED) >= evaluation.TARGET
    assert evaluation.METRIC


def test_the_program_measures_without_jax_and_says_so_in_json() -> None:
    code = (
        "import sys; sys.modules['jax'] = None; sys.argv = ['evaluate', 'glyphs', '--quick', '--json'];"
        "from models import evaluate; from models.glyphs import evaluate as glyphs; glyphs.QUICK = 10;"
        "evaluate.QUICK_NEAR = 0.5;"
        "sys.exit(evaluate.main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["condition"] for row in rows] == list(load("glyphs").CONDITIONS)
    assert all(row["ok"] and row["model"] == "glyphs" for row in rows)


def test_a_model_that_is_not_there_is_named_with_those_that_are() -> None:
    call = [sys.executable, "-m", "models.evaluate", "nothing"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "called nothing" in done.stderr
    assert "glyphs, shapes" in done.stderr
