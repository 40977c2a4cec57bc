"""Bars and lines on the terminal for what takes its time."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress

    from agent.fleet.packing.words import Step


@contextmanager
def bar(title: str, total: int, *, shown: bool = True) -> Iterator[Callable[[int], object]]:
    """Show bytes, rate, and how long it will still take, on standard error where that is a terminal.

    Gives what is told of each piece's bytes.

    Args:
        title: what is done.
        total: bytes in all.
        shown: whether people read along.
    """
    if not (shown and total and sys.stderr.isatty()):
        yield int
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)

        def step(size: int) -> None:
            progress.advance(task, size)

        yield step


@contextmanager
def steps(title: str) -> Iterator[Callable[[Step], None]]:
    """Show how many steps are done, on standard error where that is a terminal; give what is told of them."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda step: progress.update(task, completed=step.done, total=step.of)


def moving(*, bars: bool = True) -> Progress:
    """Give lines that move on standard error, a terminal; what they say may come from devices.

    Args:
        bars: whether there is something to count behind each.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    said = TextColumn("{task.description}", markup=False)  # a "[/x]" in it would end us
    bar = (BarColumn(),) if bars else ()
    return Progress(
        SpinnerColumn(), said, *bar, TimeElapsedColumn(), console=Console(stderr=True), transient=True
    )
