"""`edge-agent check` before a folder that nothing comes into."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def test_a_check_waits_a_little_for_a_file_and_says_that_none_came(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    config = tmp_path / "agent.toml"
    config.write_text(
        f'[store]\npath = "{tmp_path}/data"\n[[pipelines]]\nname = "door"\nmodel = "glyphs"\n'
        'source = { kind = "images", paths = ["in"], watch = true }\n'
    )
    began = time.monotonic()
    command = [sys.executable, "-m", "agent.cli.main", "check", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "; nothing came from the source yet" in done.stdout
    assert time.monotonic() - began < 30
