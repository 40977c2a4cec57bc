"""A rollout that is killed anywhere, paused and taken up again: as if nothing had happened."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.fleet.rollouts.shelf import Shelf
from agent.fleet.rollouts.table import OVER, State
from tests.simulators.paper_fleet import (
    NEW,
    CountingShelf,
    Killed,
    Mood,
    PaperFleet,
    plan,
    planned,
    worked,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.documents.desired import Desired
    from agent.fleet.rollouts.record import Rollout
    from agent.fleet.rollouts.shelf import Want

MOODS: st.SearchStrategy[Mood] = st.sampled_from(
    ["good", "good", "good", "rejects", "rolls back", "offline", "unnamed"]
)

SHM = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Each step is made durable, and there are thousands."""


def killer(points: Sequence[int]) -> Callable[[], None]:
    """Give what is called at each point where a kill matters, and kills at some."""
    left = set(points)
    seen = 0

    def point() -> None:
        nonlocal seen
        seen += 1
        if seen in left:
            raise Killed

    return point


def persisted(folder: Path, fleet: PaperFleet, waves: Sequence[Sequence[str]], share: float) -> Rollout:
    """Roll out, whatever kills the controller; look each time that nothing goes ahead of its wave."""
    Shelf(folder).write(planned(plan(max_fail=share, max_silent=0.9), *waves))
    shelf = CountingShelf(folder, fleet.killed)
    publish = fleet.publish

    def watched(wishes: Sequence[Desired]) -> None:
        kept = Shelf(folder).read("one")
        assert kept.state in {State.PUBLISHING, State.ABORTING}
        publish(wishes)
        allowed = {name for number in range(kept.wave + 1) for name in waves[number]}
        assert fleet.wanting() <= allowed

    fleet.publish = watched  # type: ignore[method-assign]
    while True:
        try:
            done = worked(shelf, fleet)
        except Killed:
            continue
        if done.state in OVER:
            return done


def expected(moods: Sequence[Mood], waves: Sequence[Sequence[str]], share: float) -> tuple[State, int]:
    """Say how a rollout ends, and in which wave, by counting."""
    of = dict(zip((name for names in waves for name in names), moods, strict=True))
    for wave, names in enumerate(waves):
        bad = sum(of[name] in {"rejects", "rolls back"} for name in names)
        silent = sum(of[name] == "offline" for name in names)
        if bad > share * len(names) or silent > 0.9 * len(names) or bad + silent == len(names):
            had = [name for one in waves[: wave + 1] for name in one]
            return (State.FAILED if any(of[name] == "unnamed" for name in had) else State.ABORTED), wave
    return State.COMPLETED, len(waves) - 1


@settings(max_examples=30, deadline=None)
@given(
    moods=st.lists(MOODS, min_size=1, max_size=6),
    cuts=st.lists(st.integers(1, 6), max_size=2, unique=True),
    share=st.sampled_from([0.0, 0.3, 0.6]),
    kills=st.lists(st.integers(1, 60), max_size=4),
)
def test_kills_anywhere_change_nothing_of_the_end_and_no_device_is_told_twice(
    moods: list[Mood], cuts: list[int], share: float, kills: list[int]
) -> None:
    names = [f"d{number}" for number in range(len(moods))]
    edges = [0, *sorted(one for one in cuts if one < len(names)), len(names)]
    waves = [names[one:two] for one, two in pairwise(edges)]
    ends = []
    for points in ([], kills):
        fleet = PaperFleet(dict(zip(names, moods, strict=True)), killer(points))
        was = {name: one.wish.models if one.wish else {} for name, one in fleet.devices.items()}
        with tempfile.TemporaryDirectory(dir=SHM) as folder:
            done = persisted(Path(folder), fleet, waves, share)
        assert done.state in OVER
        for name, one in fleet.devices.items():
            ours = [wish for wish in one.history if wish.models.get("door") == NEW]
            assert len(ours) <= 1
            assert len(one.history) <= 2
            if done.state is not State.COMPLETED and one.wish is not None:
                assert one.wish.models == was[name]
        if all(one in {"rejects", "rolls back", "offline"} for one in moods):
            assert NEW not in {model for one in fleet.devices.values() for model in one.served}
            assert not {wish.device for one in fleet.devices.values() for wish in one.history} - set(waves[0])
        assert (done.state, done.wave) == expected(moods, waves, share)
        ends.append((done.state, fleet.wanting(), {name: one.verdict for name, one in done.members.items()}))
    assert ends[0] == ends[1]


@settings(max_examples=30, deadline=None)
@given(
    moods=st.lists(MOODS, min_size=2, max_size=6),
    share=st.sampled_from([0.0, 0.6]),
    asked=st.dictionaries(st.integers(1, 30), st.sampled_from(["pause", "abort"]), max_size=4),
    kills=st.lists(st.integers(1, 60), max_size=2),
)
def test_nothing_is_published_while_it_is_paused_and_an_abort_puts_back_exactly_what_was(
    moods: list[Mood], share: float, asked: dict[int, Want], kills: list[int]
) -> None:
    names = [f"d{number}" for number in range(len(moods))]
    waves = [names[:1], names[1:]]
    fleet = PaperFleet(dict(zip(names, moods, strict=True)), killer(kills))
    was = {name: one.wish.models if one.wish else {} for name, one in fleet.devices.items()}
    look = fleet.look
    with tempfile.TemporaryDirectory(dir=SHM) as folder:

        def asking(timeout_s: float) -> None:
            look(timeout_s)
            if want := asked.get(fleet.looks):
                Shelf(Path(folder)).ask("one", want, 1)

        fleet.look = asking  # type: ignore[method-assign]
        done = persisted(Path(folder), fleet, waves, share)
    if done.state is not State.COMPLETED:
        assert not fleet.wanting()
        assert {name: one.wish.models if one.wish else {} for name, one in fleet.devices.items()} == was
    if "abort" not in asked.values():
        assert (done.state, done.wave) == expected(moods, waves, share)
    assert all(len(one.history) <= 2 for one in fleet.devices.values())
