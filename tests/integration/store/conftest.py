from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.simulators.power_cut import compile_trace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    return compile_trace(tmp_path_factory.mktemp("shim"))
