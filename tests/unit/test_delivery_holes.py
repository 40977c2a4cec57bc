"""What the collector once had, or cannot be told of at once, is sent in the end: there is no dead-lock."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import MakeWorld


def test_a_collector_that_lost_what_lay_beside_the_backlog_gets_it_again(make_world: MakeWorld) -> None:
    world = make_world()
    for _ in range(20):
        world.commit(size=1000)
    world.connect()
    world.serve()
    before = deepcopy(world.collector)
    for _ in range(3):
        world.commit(size=1000)
        world.carry()
    assert world.delivery._have["result", world.store.epoch]
    world.collector.restore(before)
    for _ in range(60):
        world.carry()
        world.wait(1)
    assert world.complete
    assert world.store.drained
