"""A bar on the terminal for what takes its time: bytes, rate, and how long it will still take."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def bar(title: str, total: int, *, shown: bool = True) -> Iterator[Callable[[int], object]]:
    """Show a bar on standard error, where that is a terminal; give what is told of each piece's bytes.

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
