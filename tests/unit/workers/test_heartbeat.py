from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import MessageInvalid
from agent.types import Phase
from agent.workers.heartbeat import SIZE, Page, Slot

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    page = Page.create()
    yield page
    page.close()


@pytest.mark.parametrize("slot", [Slot.CAPTURE, Slot.INFER])
def test_a_new_page_says_nothing(slot: Slot) -> None:
    page = Page.create()
    assert page.read(slot) == (Phase.NONE, 0.0)
    assert page.captured == 0
    page.close()


@pytest.mark.parametrize("phase", Phase)
def test_a_phase_is_read_as_it_was_entered(page: Page, phase: Phase) -> None:
    before = time.monotonic()
    page.enter(Slot.INFER, phase)
    read, since = page.read(Slot.INFER)
    assert read is phase
    assert before - 2e-6 <= since <= time.monotonic()


def test_each_thread_has_a_word_of_its_own(page: Page) -> None:
    page.enter(Slot.CAPTURE, Phase.OPEN)
    page.enter(Slot.INFER, Phase.INVOKE)
    page.captured = 7
    assert page.read(Slot.CAPTURE)[0] is Phase.OPEN
    assert page.read(Slot.INFER)[0] is Phase.INVOKE
    assert page.captured == 7


def test_a_hundred_years_of_uptime_fit(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    century_s = 100 * 365 * 86_400
    monkeypatch.setattr(time, "monotonic_ns", lambda: century_s * 10**9)
    page.enter(Slot.INFER, Phase.SEND)
    phase, since = page.read(Slot.INFER)
    assert phase is Phase.SEND
    assert since == pytest.approx(century_s, abs=1e-3)


@given(st.integers(0, (1 << 64) - 1))
def test_a_page_that_was_written_over_gives_a_phase_or_is_refused(page: Page, word: int) -> None:
    page._words[Slot.INFER] = word
    if word >> 56 in list(Phase):
        assert page.read(Slot.INFER)[0] == word >> 56
    else:
        with pytest.raises(MessageInvalid, match="read heartbeat infer: there is no phase"):
            page.read(Slot.INFER)


def test_another_process_writes_and_its_death_leaves_the_page() -> None:
    page = Page.create()
    program = (
        "import os, sys; from agent.workers.heartbeat import *; from agent.types import Phase;"
        "page = Page(int(sys.argv[1])); page.enter(Slot.INFER, Phase.DECODE); page.captured = 41;"
        "os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", program, str(page.fd)]
    before = time.monotonic()
    assert subprocess.run(command, pass_fds=[page.fd], check=False).returncode == -9
    phase, since = page.read(Slot.INFER)
    assert (phase, page.captured) == (Phase.DECODE, 41)
    assert before <= since <= time.monotonic()
    page.close()


@pytest.mark.parametrize("size", [0, SIZE // 2, SIZE * 2])
def test_a_worker_cannot_take_the_page_away(page: Page, size: int) -> None:
    with pytest.raises(PermissionError):
        os.ftruncate(page.fd, size)


def test_closing_twice_is_closing_once() -> None:
    page = Page.create()
    fd = page.fd
    page.close()
    page.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
