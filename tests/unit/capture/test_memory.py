"""The memory of shared frames: its maker writes there, and who gets the descriptor can only read."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

import pytest

from agent.capture.memory import Area, Window

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    "harm",
    [
        lambda fd: mmap.mmap(fd, mmap.PAGESIZE),
        lambda fd: os.write(fd, b"forged"),
        lambda fd: os.ftruncate(fd, 0),
    ],
    ids=["map", "write", "shorten"],
)
def test_a_reader_of_a_shared_source_cannot_change_its_frames(harm: Callable[[int], object]) -> None:
    area = Area(4)
    ours = area.view("uint8", (4,))
    ours[:] = 7
    with pytest.raises(PermissionError):
        harm(area.fd)
    theirs = Window(area.fd)._map
    ours[0] = 8
    assert bytes(theirs[:4]) == b"\x08\x07\x07\x07"
    area.close()
