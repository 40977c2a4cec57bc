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

MOODS: st.SearchStrategy[Mood] = st.sampled_from(
    ["good", "good", "good", "rejects", "rolls back", "offline", "unnamed"]
)


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
            return worked(shelf, fleet)
        except Killed:
            continue


@settings(max_examples=60, deadline=None)
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
        with tempfile.TemporaryDirectory() as folder:
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
        ends.append((done.state, fleet.wanting(), {name: one.verdict for name, one in done.members.items()}))
    assert ends[0] == ends[1]
