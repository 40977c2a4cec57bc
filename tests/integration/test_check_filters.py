"""edge-agent check, of gates and filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.cli import main
from agent.errors import EXIT_CONFIG, EXIT_OK

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


def test_check_names_the_line_of_a_filter_that_goes_by_tracks_without_any(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(f'{PIPELINE}\n[[pipelines.filters]]\nkind = "dwell"\n')
    assert main.run(["check", "--config", str(path)]) == EXIT_CONFIG
    captured = capsys.readouterr()
    told = captured.out + captured.err
    assert f"{path}:10: pipelines.0.filters.0.kind: it goes by tracks" in told
    assert 'Put the filter "track" before it' in told


def test_check_warns_of_events_that_no_filter_gives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "agent.toml"
    wanted = 'alert_on = ["count.changed", "count.chnaged"]\nmedia = { on = ["line.crossed"] }\n'
    path.write_text(f'{PIPELINE}{wanted}\n[[pipelines.filters]]\nkind = "count"\n')
    assert main.run(["check", "--config", str(path)]) == EXIT_OK
    assert "WARNING: none of its filters gives count.chnaged, line.crossed;" in capsys.readouterr().out
