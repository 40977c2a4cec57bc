"""Signals of a process with several lives: none is lost between two of them."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from agent.supervision.mailbox import Mailbox
from agent.supervision.signals import KeptSignals, ReloadAsked, StopAsked, signals_to

if TYPE_CHECKING:
    import pytest


def test_hangup_asks_for_a_reload_and_in_a_terminal_for_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal, asked in ((False, ReloadAsked()), (True, StopAsked("SIGHUP"))):
        monkeypatch.setattr(os, "isatty", lambda _, terminal=terminal: terminal)
        mailbox = Mailbox()
        restore = signals_to(mailbox)
        os.kill(os.getpid(), signal.SIGHUP)
        assert mailbox.take() == [asked]
        restore()
        mailbox.close()


def test_a_signal_between_two_lives_is_heard_by_the_second() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with KeptSignals() as kept:
        first = Mailbox()
        kept.attach(first)
        restore = signals_to(first)
        os.kill(os.getpid(), signal.SIGTERM)
        restore()
        first.close()  # it has not looked any more
        os.kill(os.getpid(), signal.SIGINT)
        kept.detach()
        os.kill(os.getpid(), signal.SIGTERM)
        second = Mailbox()
        kept.attach(second)
        os.kill(os.getpid(), signal.SIGINT)
        names = [event.name for event in second.take() if isinstance(event, StopAsked)]
        assert sorted(names) == ["SIGINT", "SIGINT", "SIGTERM", "SIGTERM"]
        second.close()
        kept.detach()
    assert signal.getsignal(signal.SIGTERM) is before
