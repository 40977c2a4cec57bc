"""Blocks that are too large for a broker, cut into smaller ones: a record is named by its number alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.blocks import Block, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def recut(block: Block, wanted: int, most: int, after: int = 0) -> tuple[list[Block], list[int]]:
    """Cut what ``block`` holds after the record ``after`` into blocks of at most ``wanted`` bytes.

    The ledgers, which are those of the last record, go with the last part. A record that is larger than
    ``wanted`` is a part of its own, up to ``most`` bytes.

    Returns:
        The parts in order, and the numbers of records that are larger than ``most``.

    Raises:
        MessageInvalid: the block is damaged.
    """
    content = unpack(block)
    parts: list[Block] = []
    too_large: list[int] = []
    skipped = max(0, after + 1 - block.first)
    stack = [(block.first + skipped, content.records[skipped:])]
    while stack:
        first, records = stack.pop()
        if not records:
            continue
        ends = first + len(records) - 1 == block.last
        ledgers: Mapping[str, Mapping[str, Any]] = content.ledgers if ends else {}
        data = pack(records, ledgers, content.clock)
        if len(data) <= (wanted if len(records) > 1 else most):
            parts.append(Block(first, len(records), data))
        elif len(records) == 1:
            too_large.append(first)
        else:
            half = len(records) // 2
            stack += [(first + half, records[half:]), (first, records[:half])]
    return parts, too_large
