"""Batches for the collector's store, with records that can be told apart."""

from __future__ import annotations

from typing import Any

from agent.blocks import Block, Lease, pack
from agent.fleet.collecting.incoming import Incoming

EPOCH = "0123456789abcdef"


def record(seq: int) -> dict[str, Any]:
    """Give a result with this number."""
    return {
        "kind": "classification",
        "pipeline": "gate",
        "frame": seq * 2,
        "wall_ns": seq * 1000,
        "items": [seq],
    }


def block(first: int, last: int) -> Block:
    """Give the records from ``first`` to ``last``, with a ledger."""
    ledgers = {"gate": {"captured": last}}
    return Block(first, last - first + 1, pack([record(seq) for seq in range(first, last + 1)], ledgers))


def batch(*spans: tuple[int, int], low: int = 1, epoch: str = EPOCH, **others: Any) -> Incoming:
    """Give a batch of blocks, each of one span; ``others`` are its device, and fields of a lease."""
    blocks = tuple(block(*span) for span in spans)
    device = others.pop("device", "cam-1")
    return Incoming(device, Lease(epoch, low, blocks, **{"live": True, **others}))
