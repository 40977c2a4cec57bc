"""A recording's bad frame is an answer, too: rule [record-1] of docs/protocol.md, in a real worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.config.tables import Deadlines
from agent.foreground import Foreground
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    from pathlib import Path


def test_a_bad_frame_of_a_recording_has_a_record_that_says_why(tmp_path: Path) -> None:
    whole, bad, misfit = (tmp_path / name for name in ("1.png", "2.png", "3.npy"))
    assert cv2.imwrite(str(whole), np.full((48, 64, 3), 90, np.uint8))
    bad.write_bytes(whole.read_bytes()[:60])
    np.save(misfit, np.zeros((7, 7), np.float32))
    source = {"paths": [str(whole), str(bad), str(misfit)]}
    spec = LaneSpec(pipeline="door", model="glyphs", source="images", source_options=source, once=True)
    lane = Foreground(spec, Deadlines())
    records = [record for some in lane.run() for record in some]
    assert [record.frame for record in records] == [0, 1, 2]
    assert [record.kind for record in records] == ["classification", "failed", "failed"]
    for record, reason, words in zip(
        records[1:], ("unreadable", "input"), ("damaged", "it wants"), strict=True
    ):
        [item] = record.items
        assert item.keys() == {"reason", "problem", "hint"}
        assert item["reason"] == reason
        assert words in item["problem"]
        assert item["hint"]
    assert dict(lane.outcome.ledger.failed) == {"input": 1, "unreadable": 1}
    assert lane.outcome.ledger.balanced
