"""What is in a block that a device sent, within what every table, every line and our memory can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from agent.blocks import inflate, parse
from agent.errors import MessageInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.blocks import Block, Content

METRIC = "metric"
MAX_VALUES = 1 << 18
"""About so many values may be in a block; an agent's has fewer bytes."""
MAX_METRICS = 8192
"""Metrics in a block; each becomes a row."""
MAX_LEDGERS = 256
"""Pipelines that a block may tell of."""


def contents(block: Block, stream: str) -> Content:
    """Give a block's content, of which every part can be written as JSON again, three levels deeper.

    Of the clock only stays whether it was right: true, false or None.

    Raises:
        MessageInvalid: it does not unpack, or is beyond these bounds.
    """
    text = inflate(block)
    # Counted before it is parsed: a value of two bytes takes sixty in memory.
    if sum(text.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES:
        raise _invalid(block, f"more than {MAX_VALUES} values")
    content = parse(block, text)
    if stream == METRIC and sum(len(metrics(record) or ()) for record in content.records) > MAX_METRICS:
        raise _invalid(block, f"more than {MAX_METRICS} metrics")
    if len(content.ledgers) > MAX_LEDGERS:
        raise _invalid(block, f"ledgers of more than {MAX_LEDGERS} pipelines")
    try:
        orjson.dumps([[[content.records, content.ledgers]]])
    except orjson.JSONEncodeError as error:  # orjson reads deeper nesting than it writes
        raise _invalid(block, str(error)) from error
    synced = content.clock.get("synced")
    return content._replace(clock={"synced": synced if isinstance(synced, bool) else None})


def metrics(record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]] | None:
    """The metrics in a record of that stream; None when it has another shape."""
    items = record.get("items")
    return items if isinstance(items, list) and all(isinstance(item, dict) for item in items) else None


def _invalid(block: Block, problem: str) -> MessageInvalid:
    return MessageInvalid("unpack block", f"{block.first}..{block.last}", problem)
