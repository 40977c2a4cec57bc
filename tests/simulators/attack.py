"""Attacks, by their numbers: what happens to a fleet, and what its device must make of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulators.update_world import World
    from tests.simulators.updating import Outcome

    Scene = Callable[[World], Outcome]

REFUSED = "MetadataRefused"


@dataclass(frozen=True, slots=True)
class Attack:
    """One line of the table.

    Attributes:
        number: its place in it.
        name: what is done.
        verdict: ``accepted``, or the class of the refusal.
        words: of the refusal; "" where there is none.
        scene: does it, and gives what the device said last.
    """

    number: int
    name: str
    verdict: str
    words: str
    scene: Scene

    def __str__(self) -> str:
        """A test's id."""
        return f"{self.number}: {self.name}"


ATTACKS: dict[int, Attack] = {}


def attack(number: int, name: str, verdict: str, words: str = "") -> Callable[[Scene], Scene]:
    """Put a scene into the table."""

    def put(scene: Scene) -> Scene:
        assert number not in ATTACKS
        ATTACKS[number] = Attack(number, name, verdict, words, scene)
        return scene

    return put
