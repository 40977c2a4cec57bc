"""The folder of an updater."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.errors import StoreBusy
from agent.updater import disk

if TYPE_CHECKING:
    from pathlib import Path


def test_two_updaters_never_work_in_one_folder(tmp_path: Path) -> None:
    with disk.alone(tmp_path), pytest.raises(StoreBusy, match="another updater"), disk.alone(tmp_path):
        pass
    with disk.alone(tmp_path):
        pass
