"""The help of every command fits a terminal of 80 columns."""

from __future__ import annotations

import subprocess
import sys

import pytest

from agent.cli.main import VERBS

EDGECTL = ("init", "pack", "quantize", "deploy", "models", "collect", "gaps")


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


@pytest.mark.parametrize("words", [[], *([verb] for verb in EDGECTL)], ids=" ".join)
def test_edgectls_help_fits_a_terminal(words: list[str]) -> None:
    command = [sys.executable, "-m", "agent.fleet.main", *words, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"COLUMNS": "80"})
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
