"""Signals of the process, as events of the loop."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.supervision.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class StopAsked:
    """A signal asked for the end."""

    name: str


@dataclass(frozen=True, slots=True)
class ReloadAsked:
    """A signal asked for the configuration to be read anew."""


_NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class KeptSignals:
    """Takes signals that come between two lives of the agent in one process; a context manager.

    Before the first life they do what they do to any program.
    """

    def __init__(self) -> None:
        self._came: list[object] = []
        self._mailbox: Mailbox | None = None
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def attach(self, mailbox: Mailbox) -> None:
        """A life begins: it hears of what came, and of what comes until it listens itself."""
        if not self._before:
            reloads = _reloads()
            self._before = [signal.signal(n, lambda n, _: self._take(_asked(n, reloads))) for n in _NUMBERS]
        self._mailbox = mailbox
        while self._came:
            mailbox.post(self._came.pop(0))

    def detach(self) -> None:
        """A life is over; what it has not heard is for the next."""
        mailbox, self._mailbox = self._mailbox, None
        left = mailbox.left() if mailbox else []
        self._came += [event for event in left if isinstance(event, StopAsked)]

    def __exit__(self, *_: object) -> None:
        for number, handler in zip(_NUMBERS, self._before, strict=False):
            signal.signal(number, handler)

    def _take(self, event: object) -> None:
        if self._mailbox is None or self._mailbox.closed:
            self._came.append(event)
        else:
            self._mailbox.post(event)


def signals_to(mailbox: Mailbox) -> Callable[[], None]:
    """Turn SIGTERM, SIGINT and SIGHUP into posts; give the function that puts things back.

    SIGHUP asks for a reload; in a terminal, for the end: it is gone then.
    """
    reloads = _reloads()
    before = [signal.signal(n, lambda n, _: mailbox.post(_asked(n, reloads))) for n in _NUMBERS]
    wake_before = signal.set_wakeup_fd(mailbox.wake_fd, warn_on_full_buffer=False)

    def restore() -> None:
        signal.set_wakeup_fd(wake_before)
        for number, handler in zip(_NUMBERS, before, strict=True):
            signal.signal(number, handler)

    return restore


def _reloads() -> bool:
    return not os.isatty(0)


def _asked(number: int, reloads: bool) -> StopAsked | ReloadAsked:  # noqa: FBT001 - as it was found
    return ReloadAsked() if reloads and number == signal.SIGHUP else StopAsked(signal.Signals(number).name)
