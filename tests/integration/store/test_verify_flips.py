"""Damage as ``store verify`` sees it: a bit that costs a record is named, and mending is the end of it."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

from agent.store.inspect import look, segment_files
from agent.store.verify import mend, verify
from tests.integration.store.test_bit_flips import (
    BLOCK,
    RECORDS,
    SETTINGS,
    damaged_copy,
    places,
    the_segment,
    what_is_left,
    written,
)
from tests.simulators.outboxes import opened

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["written"]
EVERY = 3
"""Of the two hundred places one in three."""


def test_a_bit_that_costs_a_record_is_named_and_mending_leaves_a_sound_folder(
    written: Path, tmp_path: Path
) -> None:
    costs = 0
    for number, place in enumerate(list(places(the_segment(written).read_bytes()))[::EVERY]):

        def flip(data: bytearray, place: int = place) -> None:
            data[place // 8] ^= 1 << place % 8

        folder = damaged_copy(written, tmp_path / str(number), flip)
        [file] = segment_files(folder)
        seen = look(file)
        assert seen is not None
        held = sum(block.count for block in seen.blocks)
        findings = verify(folder).findings
        assert held >= RECORDS - BLOCK
        assert findings or held == RECORDS, f"bit {place} cost a record, and verify found nothing"
        mend(folder)
        assert verify(folder).findings == ()
        came, lost = what_is_left(folder)
        assert (len(came), len(lost)) == (held, RECORDS - held)
        costs += held < RECORDS
        shutil.rmtree(folder)
    assert costs > 20


def test_mending_works_on_what_a_crash_left(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with closing(opened(tmp_path / "a", SETTINGS)) as outbox:
        for n in (1, 2):
            outbox.put([{"n": n}], {})
            outbox.flush()
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert mend(tmp_path / "b") == []
    assert what_is_left(tmp_path / "b") == ({1, 2}, set())
