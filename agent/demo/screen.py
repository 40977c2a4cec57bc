"""The demo's page on a real terminal, through rich: on the alternate screen, so that nothing is left."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from agent.demo.keys import obeyed
from agent.demo.page import Facts, page

if TYPE_CHECKING:
    from agent.demo.grid import Grid
    from agent.demo.session import DemoSession
    from agent.demo.watch import Watch

REFRESH_S = 0.125


def run(session: DemoSession, watch: Watch, fd: int, ends: float) -> None:
    """Show the page until q or the moment ``ends`` (monotonic); KeyboardInterrupt passes through."""
    began = time.monotonic()
    console = Console(highlight=False, markup=False, emoji=False)
    with Live(
        console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    ) as live:
        while (now := time.monotonic()) < ends:
            watch.take(session.status())
            watch.hear(session.rollouts.said)
            size = os.get_terminal_size(sys.stdout.fileno())
            console.size = size  # asked each time: COLUMNS and LINES of the environment know no resize
            facts = Facts(session.broker_kind, session.broker_up, session.next_victim, now - began)
            live.update(_text(page(watch, facts, size.columns, size.lines)), refresh=True)
            if not obeyed(fd, REFRESH_S - (time.monotonic() - now), session, watch):
                break


def _text(grid: Grid) -> Text:
    text = Text(no_wrap=True, overflow="crop", end="")
    for number, runs in enumerate(grid.runs()):
        if number:
            text.append("\n")
        for part, style in runs:
            text.append(part, style or None)
    return text
