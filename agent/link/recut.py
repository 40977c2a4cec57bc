"""Blocks that are too large for a broker, cut into smaller ones: a record is named by its number alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.blocks import Block, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def recut(block: Block, most: int) -> tuple[list[Block], list[int]]:
    """Cut a block into blocks of at most ``most`` bytes.

    The ledgers, which are those of the last record, go with the last part.

    Returns:
        The parts in order, and the numbers of records that are too large even alone.

    Raises:
        MessageInvalid: the block is damaged.
    """
    content = unpack(block)
    parts: list[Block] = []
    too_large: list[int] = []
    stack = [(block.first, content.records)]
    while stack:
        first, records = stack.pop()
        ends = first + len(records) - 1 == block.last
        ledgers: Mapping[str, Mapping[str, Any]] = content.ledgers if ends else {}
        data = pack(records, ledgers, content.clock)
        if len(data) <= most:
            parts.append(Block(first, len(records), data))
        elif len(records) == 1:
            too_large.append(first)
        else:
            half = len(records) // 2
            stack += [(first + half, records[half:]), (first, records[:half])]
    return parts, too_large
