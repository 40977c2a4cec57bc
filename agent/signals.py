"""Signals of the process, as events of the loop."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class StopAsked:
    """A signal asked for the end."""

    name: str


def signals_to(mailbox: Mailbox) -> Callable[[], None]:
    """Turn SIGTERM, SIGINT and SIGHUP into posts; give the function that puts things back."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.signal(n, lambda n, _: mailbox.post(StopAsked(signal.Signals(n).name))) for n in numbers]
    wake_before = signal.set_wakeup_fd(mailbox.wake_fd, warn_on_full_buffer=False)

    def restore() -> None:
        signal.set_wakeup_fd(wake_before)
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)

    return restore
