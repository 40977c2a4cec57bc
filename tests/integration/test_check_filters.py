"""edge-agent check, of gates and filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.cli import main
from agent.errors import EXIT_CONFIG

if TYPE_CHECKING:
    from pathlib import Path

PIPELINE = """\
[store]
path = "data"

[[pipelines]]
name = "door"
model = "glyphs"
source = { kind = "synthetic" }
"""


@pytest.mark.parametrize("room", ["gates", "filters"])
def test_check_names_the_line_of_a_kind_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], room: str
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(f'{PIPELINE}\n[[pipelines.{room}]]\nkind = "no_such_kind"\n')
    assert main.run(["check", "--config", str(path)]) == EXIT_CONFIG
    captured = capsys.readouterr()
    told = captured.out + captured.err
    assert f"{path}:10: pipelines.0.{room}.0.kind: there is no 'no_such_kind'" in told
