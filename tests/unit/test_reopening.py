from __future__ import annotations

from agent import reopening
from agent.errors import LoginRefused, SourceLost
from agent.reopening import Reopening

GONE = SourceLost("read camera", "door", "it is gone")
FIRST_S, LONGEST_S, BACK_S = reopening._FIRST_S, reopening._LONGEST_S, 3.0


def test_waits_are_short_at_first_double_and_are_short_again_once_a_frame_came() -> None:
    for _ in range(50):
        waits = Reopening()
        assert FIRST_S / 2 <= waits.after(GONE, gave=True) <= FIRST_S
        assert FIRST_S <= waits.after(GONE, gave=False) <= 2 * FIRST_S
        assert LONGEST_S / 2 <= waits.after(GONE, gave=False) <= LONGEST_S
        assert FIRST_S / 2 <= waits.after(GONE, gave=True) <= FIRST_S


def test_however_long_it_was_away_a_source_is_tried_so_soon_that_a_new_worker_serves_it_within_3_s() -> None:
    waits = Reopening()
    assert max(waits.after(GONE, gave=False) for _ in range(1000)) <= BACK_S / 2


def test_two_that_lost_their_sources_at_once_do_not_ask_again_at_once() -> None:
    waits = Reopening()
    waited = [waits.after(GONE, gave=False) for _ in range(300)][5:]
    assert LONGEST_S / 2 <= min(waited) < 0.6 * LONGEST_S
    assert 0.9 * LONGEST_S < max(waited) <= LONGEST_S


def test_a_wrong_password_is_tried_again_seldom_since_it_may_lock_the_account() -> None:
    waits = Reopening()
    refused = LoginRefused("read camera", "door", "it refuses this name and password (401)")
    assert min(waits.after(refused, gave=False) for _ in range(20)) >= 15
    assert waits.after(GONE, gave=False) <= LONGEST_S
