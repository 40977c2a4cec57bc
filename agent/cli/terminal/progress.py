"""Progress of what takes a while, on a terminal; silent where nobody watches."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Silent:
    """Progress where nobody watches."""

    def advance(self, count: int) -> None:
        """Say nothing."""


class Bar:
    """Progress on a terminal, through rich.

    Args:
        doing: what is done, such as "inferring".
        total: of how many; 0 where that is not known.

    Raises:
        ModuleNotFoundError: rich is not installed; it comes with the demo and fleet extras.
    """

    def __init__(self, doing: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(
            *columns, console=Console(stderr=True), transient=True, redirect_stdout=False
        )
        self._task = self._progress.add_task(doing, total=total or None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, count: int) -> None:
        """So many more are done."""
        self._progress.advance(self._task, count)


def progress(doing: str, total: int, *, sharing: bool = False) -> AbstractContextManager[Bar | Silent]:
    """Show progress on standard error where it is a terminal.

    Args:
        doing: what is done.
        total: of how many; 0 where that is not known.
        sharing: whether results are printed on the same terminal: then they are progress enough.
    """
    if not sys.stderr.isatty() or sharing:
        return nullcontext(Silent())
    try:
        return Bar(doing, total)
    except ModuleNotFoundError:
        return nullcontext(Silent())
