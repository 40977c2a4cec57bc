from __future__ import annotations

import io

import pytest

from agent.fleet.progress import moving


@pytest.mark.parametrize("words", ["[/bold]", "[red]", "gate-1: failed: [Errno 2] no file", "\\\\["])
def test_what_a_device_says_is_shown_as_it_stands_on_a_moving_line(
    words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    with moving(bars=False) as lines:
        task = lines.add_task("sent", total=None)
        lines.update(task, description=words)
        lines.console.print(lines.get_renderable())
    assert words in out.getvalue()
