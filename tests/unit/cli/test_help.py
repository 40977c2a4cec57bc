"""The help of every command fits a terminal of 80 columns."""

from __future__ import annotations

import pytest
from typer.main import get_command

from agent.cli.main import VERBS
from agent.fleet.commands import app

EDGECTL = get_command(app)
VERBS_OF_EDGECTL: list[str] = sorted(getattr(EDGECTL, "commands", ()))


@pytest.mark.parametrize("words", [[], *([verb] for verb in VERBS)], ids=" ".join)
def test_help_fits_a_terminal(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent.cli import main

    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main.run([*words, "--help"])
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "\n\nexamples:\n  " in text or not words


@pytest.mark.parametrize("words", [[], *([verb] for verb in VERBS_OF_EDGECTL)], ids=" ".join)
def test_edgectls_help_fits_a_terminal(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    EDGECTL.main([*words, "--help"], prog_name="edgectl", standalone_mode=False)
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "\n  examples:\n    edgectl " in text or words in ([], ["version"])
