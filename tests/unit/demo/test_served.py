"""Which models have answered, and what the change between them has cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.demo.served import Answer, Served, served

OLD, NEW = ("shapes@0.9.0", ""), ("shapes@1.0.0", "a" * 64)


def run(model: tuple[str, str], *frames: int) -> list[Answer]:
    return [Answer(frame, *model) for frame in frames]


def test_nothing_is_known_of_no_records() -> None:
    assert served([]) == Served(None, None, None, frozenset())


def test_without_a_change_no_loss_is_told() -> None:
    assert served(run(OLD, 0, 1, 5)) == Served("shapes@0.9.0", "shapes@0.9.0", None, frozenset())


@given(st.integers(0, 1000), st.integers(0, 50), st.integers(1, 20), st.integers(1, 20))
def test_lost_are_the_frames_between_the_last_of_the_old_and_the_first_of_the_new(
    start: int, lost: int, olds: int, news: int
) -> None:
    middle = start + olds + lost
    made = run(OLD, *range(start, start + olds)) + run(NEW, *range(middle, middle + news))
    assert served(made) == Served(OLD[0], NEW[0], lost, frozenset({NEW[1]}))


def test_what_a_dead_worker_took_with_it_is_no_loss_of_the_swap() -> None:
    made = run(OLD, 0, 1) + run(NEW, 3, 4) + run(OLD, 90, 91) + run(NEW, 92, 99)
    assert served(made).lost == 1


def test_the_same_name_in_another_bundle_is_another_model() -> None:
    made = run(("shapes@1.0.0", ""), 1) + run(NEW, 4)
    assert served(made).lost == 2
