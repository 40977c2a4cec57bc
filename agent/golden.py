"""Whether a result is the golden one: the same items, with numbers that may be a little off."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.types import JsonValue


def differs(
    found: Sequence[Mapping[str, JsonValue]], expect: Sequence[Mapping[str, JsonValue]], tol: float
) -> str:
    """Compare a result's items with the golden ones.

    The golden items are the first of the result, in their order; keys that they leave out do not matter.

    Args:
        found: items of a result.
        expect: golden items.
        tol: the most by which a number may be off, in the number's own unit.

    Returns:
        "" when they agree, else the first difference in a few words.
    """
    if len(found) < len(expect) or (not expect and found):
        return f"{len(found)} items in place of {len(expect)}"
    for number, (item, golden) in enumerate(zip(found, expect, strict=False)):
        for key, wanted in golden.items():
            if not _near(item.get(key), wanted, tol):
                return f"item {number}: {key} is {item.get(key)} in place of {wanted}"
    return ""


def _near(found: JsonValue, wanted: JsonValue, tol: float) -> bool:
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(_near(one, other, tol) for one, other in zip(found, wanted, strict=True))
        )
    if isinstance(wanted, float):
        return isinstance(found, (int, float)) and not isinstance(found, bool) and abs(found - wanted) <= tol
    return bool(found == wanted)
