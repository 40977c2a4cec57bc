"""Many results wait when the broker comes back: they are sent in order, and live results go beside them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.backlog import drained

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = int(os.environ.get("EDGE_AGENT_TESTS_BACKLOG", "50000"))
"""The million, and what live results wait meanwhile: python -m tests.backlog."""


@pytest.mark.mosquitto
@pytest.mark.timeout(1200)
def test_a_backlog_drains_in_order_through_outages_and_live_results_go_beside_it(tmp_path: Path) -> None:
    drain = drained(tmp_path, RECORDS, lambda _: None, bytes_per_s=4 * RECORDS)
    assert drain.bytes_on_disk <= 100 * RECORDS
    assert drain.most_ranges == 1
    assert drain.beside > 0  # the cap makes the drain last long enough
    found = drain.accounts
    assert found is not None
    assert found.stored > RECORDS
    assert (found.missing, found.lost, found.duplicated, found.unbalanced) == (0, 0, 0, ())
