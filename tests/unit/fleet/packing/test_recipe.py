"""What the operator writes of a model: the page that explains it, and what is told of a wrong key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.errors import ConfigInvalid
from agent.fleet.packing import recipe
from agent.fleet.packing.recipe import BudgetRecipe, GoldenRecipe, Recipe
from agent.manifest import Pre, Requires

if TYPE_CHECKING:
    from pydantic import BaseModel

PAGE = Path(__file__).resolve().parents[4] / "docs" / "howto" / "ship-a-model.md"
LEAST = 'task = "tensor"\n'


def test_the_pages_recipe_reads_as_it_stands(tmp_path: Path) -> None:
    found = re.search(r"^```toml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    (tmp_path / "m.toml").write_text(found[1])
    told = recipe.read(tmp_path / "m.toml")
    assert (told.name, told.version, told.task) == ("gate", "1.2.0", "classification")
    assert told.pre == Pre(color="rgb", mean=(127.5,), std=(127.5,))
    assert told.golden[1].expect == ({"label": "nobody"},)
    assert told.golden[1].tol == recipe.DEFAULT_TOL


@pytest.mark.parametrize("kind", [Recipe, GoldenRecipe, BudgetRecipe, Pre, Requires])
def test_the_page_explains_every_key(kind: type[BaseModel]) -> None:
    text = PAGE.read_text()
    assert [key for key in kind.model_fields if f"`{key}" not in text] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[pre]\nmaen = [1.0]\n", "m.toml:3: pre.maen: there is no such key"),
        ("[[golden]]\ntol = 0.1\n", "m.toml:2: golden.0.input: this key is missing"),
        ('[[golden]]\ninput = "a.npy"\ntol = 0\n', "m.toml:4: golden.0.tol: Input should be greater than 0"),
        ('name = "Upper"\n', "m.toml:2: name: String should match pattern"),
        ("version = 1.0\n", "m.toml:2: version: Input should be a valid string"),
        ("budget.p95_ms = nan\n", "m.toml:2: budget.p95_ms: Input should be a finite number"),
        (
            "budget.p95_margin = 0.5\n",
            "m.toml:2: budget.p95_margin: Input should be greater than or equal to 1",
        ),
        ("a = 99999999999999999999999\n", "m.toml:2: a: there is no such key"),
        ("task = 1\n", "it is no TOML"),
        ("a = " + "[" * 5000, "it is no TOML"),
    ],
)
def test_a_wrong_key_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.toml").write_text(LEAST + text)
    with pytest.raises(ConfigInvalid) as caught:
        recipe.read(tmp_path / "m.toml")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="No such file or directory"):
        recipe.read(tmp_path / "m.toml")
    (tmp_path / "m.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigInvalid, match="it is no TOML"):
        recipe.read(tmp_path / "m.toml")
