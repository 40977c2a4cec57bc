"""A batch of small blocks that unpack to much too much, all together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.blocks import Block, Lease, pack
from agent.fleet.warehouse import Incoming, Warehouse

if TYPE_CHECKING:
    from pathlib import Path


def batch(blocks: int) -> Incoming:
    data = pack([{"kind": "x" * (6 << 20)}], {})
    packed = tuple(Block(number, 1, data) for number in range(1, blocks + 1))
    return Incoming("gate", Lease("0" * 16, 1, packed, live=True))


def test_blocks_that_unpack_to_too_much_together_are_refused(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "fleet.db")
    try:
        bomb, sound = warehouse.store([batch(3), batch(2)])
    finally:
        warehouse.close()
    assert bomb.refused is not None
    assert "too large" in str(bomb.refused)
    assert sound.new == 2
