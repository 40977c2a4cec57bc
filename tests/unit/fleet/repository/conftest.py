"""An operator's folder for each test: made once, and copied."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.simulators.operating import operator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A repository that vouches for nothing yet; tests work on copies."""
    with tempfile.TemporaryDirectory() as folder:
        yield operator(Path(folder) / "keys")


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "keys"))
