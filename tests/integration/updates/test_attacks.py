"""Attacks on a fleet by whoever owns its broker, loses its files or has stolen keys: each with its verdict.

The table stands in ``tests/simulators/attacks_on_*.py``, by its numbers. A verdict is ``accepted``, or the
class of the error with which the real updater refuses, and words of it. Where an attack is a lie that must
hurt nobody, what is honest is accepted in spite of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.manifest import MANIFEST
from tests.simulators import attacks_on_devices, attacks_on_files, attacks_on_metadata  # noqa: F401
from tests.simulators.attack import ATTACKS, Attack
from tests.simulators.updating import Device

if TYPE_CHECKING:
    from tests.simulators.update_world import World

pytestmark = pytest.mark.mosquitto


def test_the_numbers_have_no_holes() -> None:
    assert sorted(ATTACKS) == list(range(1, len(ATTACKS) + 1))


@pytest.mark.parametrize("attack", [ATTACKS[number] for number in sorted(ATTACKS)], ids=str)
def test_an_attack_gets_its_verdict(attack: Attack, world: World) -> None:
    outcome = attack.scene(world)
    assert outcome.verdict == attack.verdict, outcome.said
    assert attack.words in str(outcome.error or "")
    for folder in world.folder.iterdir():
        for digest, files in Device(folder, b"").bundles().items():
            assert {path: data for path, data in files.items() if path != MANIFEST} == world.honest[digest]
