"""What is told where a folder refuses to be written."""

from __future__ import annotations

import errno

import pytest

from agent.files import advice


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ENOSPC, "Make room"), (errno.EDQUOT, "Make room"), (errno.EACCES, "Name a folder"), (0, "Name")],
)
def test_a_full_disk_is_told_apart_from_a_folder_that_is_closed(number: int, told: str) -> None:
    error = OSError(number, "problem")
    assert advice(error).startswith(told)
