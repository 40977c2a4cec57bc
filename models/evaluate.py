"""Measures the bundled models on data that training never saw: ``python -m models.evaluate [MODEL...]``.

Every model whose folder has an ``evaluate.py`` is measured in each of its conditions. The value must agree
with the table in the model's card (``README.md``), and reach the target where it is demanded. Needs no jax.

Exit code 1: a value misses its target, or differs from the card.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent

NEAR = 0.005
"""How far a value may be from the card's: it is rounded to 0.001, and processors round differently."""
QUICK_NEAR = 0.05
"""What so few samples may be off by: two standard errors of a share of 0.9 are 0.042."""


class Evaluation(Protocol):
    """What a model's ``evaluate.py`` holds.

    Attributes:
        METRIC: what is measured.
        TARGET: the least value in each of the conditions ``DEMANDED``.
        CONDITIONS: all that are measured.
        QUICK: samples a condition for a look.
    """

    METRIC: str
    TARGET: float
    CONDITIONS: tuple[str, ...]
    DEMANDED: tuple[str, ...]
    QUICK: int

    def measure(self, folder: Path, count: int | None = None) -> Iterator[tuple[str, float]]:
        """Give each condition with its value, on ``count`` samples or the full number."""


def main() -> int:
    """Measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("models", metavar="MODEL", nargs="*", help="which (default: all that have one)")
    parser.add_argument("--quick", action="store_true", help="few samples a condition: a look, no claim")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    args = parser.parse_args()
    known = found()
    unknown = [name for name in args.models if name not in known]
    if unknown:
        parser.error(f"no model to evaluate is called {unknown[0]}: use one of {', '.join(known)}")
    cv2.setNumThreads(1)
    good = True
    for name in args.models or known:
        for row in evaluated(HERE / name, load(name), quick=args.quick):
            good &= row["ok"]
            print(json.dumps(row) if args.json else _words(row), flush=True)
    return 0 if good else 1


def found() -> list[str]:
    """Name the models that can be evaluated."""
    return sorted(path.parent.name for path in HERE.glob("*/evaluate.py"))


def load(name: str) -> Evaluation:
    """Import the ``evaluate`` module of a model."""
    module: Any = importlib.import_module(f"models.{name}.evaluate")
    evaluation: Evaluation = module
    return evaluation


def evaluated(folder: Path, evaluation: Evaluation, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Measure a model; give a row for each condition."""
    card = card_values((folder / "README.md").read_text(), evaluation.CONDITIONS)
    near = QUICK_NEAR if quick else NEAR
    for condition, value in evaluation.measure(folder, evaluation.QUICK if quick else None):
        stated = card.get(condition)
        matches = stated is not None and abs(value - stated) <= near
        target = evaluation.TARGET if condition in evaluation.DEMANDED else None
        reaches = target is None or value >= target - (near if quick else 0)
        yield {
            "model": folder.name,
            "condition": condition,
            "metric": evaluation.METRIC,
            "value": round(value, 4),
            "card": stated,
            "matches": matches,
            "target": target,
            "reaches": reaches,
            "ok": matches and reaches,
        }


def card_values(card: str, conditions: tuple[str, ...]) -> dict[str, float]:
    """Read the value of each condition from a card: its row's first number, in whichever table begins so.

    A row may say more of the condition in parentheses.
    """
    values: dict[str, float] = {}
    for row in re.findall(r"^\| *(\S.*?) *\| *\**([01]\.\d+)", card, re.MULTILINE):
        name = next((one for one in conditions if row[0] == one or row[0].startswith(f"{one} (")), None)
        if name is not None:
            values.setdefault(name, float(row[1]))
    return values


def _words(row: dict[str, Any]) -> str:
    card = "nothing" if row["card"] is None else f"{row['card']:.3f}"
    target = "none" if row["target"] is None else f"{row['target']:.2f}"
    verdict = "ok" if row["ok"] else " and ".join(_complaints(row))
    return (
        f"{row['model']:<10} {row['condition']:<22} {row['value']:.3f}  card {card}  "
        f"target {target}  {verdict}"
    )


def _complaints(row: dict[str, Any]) -> list[str]:
    return ([] if row["matches"] else ["DIFFERS FROM THE CARD"]) + (
        [] if row["reaches"] else ["MISSES THE TARGET"]
    )


if __name__ == "__main__":
    sys.exit(main())
