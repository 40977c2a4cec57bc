"""The next desired state follows from those that are known, whoever knows the newest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.documents import desired
from agent.documents.desired import Desired, Maintenance, Probation, Wanted
from agent.errors import MessageInvalid
from agent.fleet.deploying import wishes
from agent.fleet.deploying.wishes import Change
from agent.fleet.repository import desired as sent
from agent.schedules import Window
from agent.trust.signing import Signer, generate

if TYPE_CHECKING:
    from pathlib import Path

PIPELINES = st.sampled_from(["door", "yard", "roof"])
MODELS = st.builds(Wanted, name=st.sampled_from(["a", "b"]), version=st.sampled_from(["1", "2"]))
KEYS = st.sampled_from(["pipelines.door.max_rate", "pipelines.yard.max_rate", "metrics.vitals_s"])
SETTINGS = st.dictionaries(KEYS, st.integers(0, 9))
WINDOWS = st.none() | st.builds(
    Maintenance, windows=st.tuples(st.builds(Window, begin=st.sampled_from(["01:00", "02:00"])))
)
KNOWN = st.none() | st.builds(
    Desired,
    fleet=st.just("f"),
    device=st.just("d"),
    generation=st.integers(1, 50),
    models=st.dictionaries(PIPELINES, MODELS),
    probation=st.builds(Probation, frames=st.integers(1, 9), slower=st.floats(1, 9)),
    deadline_s=st.floats(1, 100),
    overrides=SETTINGS,
    maintenance=WINDOWS,
)
CHANGES = st.builds(
    Change,
    pipeline=PIPELINES,
    wanted=MODELS,
    frames=st.none() | st.integers(1, 9),
    seconds=st.none() | st.floats(0, 9),
    deadline_s=st.none() | st.floats(1, 9),
    overrides=SETTINGS,
    unset=st.lists(KEYS),
    maintenance=WINDOWS,
    any_time=st.booleans(),
)


@given(st.lists(KNOWN, max_size=3), CHANGES, st.integers(0, 100))
def test_the_next_one_is_above_all_and_changes_what_was_asked_for_and_no_more(
    known: list[Desired | None], change: Change, floor: int
) -> None:
    wish = wishes.following(known, change, fleet="f", device="d", floor=floor, issued=7)
    there = [one for one in known if one]
    assert wish.generation == max([floor, *(one.generation for one in there)]) + 1
    assert wish.models[change.pipeline] == change.wanted
    last = max(there, key=lambda one: one.generation, default=None)
    others = {name: model for name, model in wish.models.items() if name != change.pipeline}
    before = last.models if last else {}
    assert others == {name: model for name, model in before.items() if name != change.pipeline}
    probation = last.probation if last else Probation()
    assert wish.probation.frames == (change.frames or probation.frames)
    assert wish.probation.seconds == (probation.seconds if change.seconds is None else change.seconds)
    assert wish.probation.slower == probation.slower
    assert wish.deadline_s == (change.deadline_s or (last.deadline_s if last else 86400))
    assert wish.issued == 7
    before_it = last.overrides if last else {}
    kept = {key: value for key, value in before_it.items() if key not in change.unset}
    assert wish.overrides == kept | dict(change.overrides)
    window = change.maintenance or (last.maintenance if last else None)
    assert wish.maintenance == (None if change.any_time else window)


def test_settings_alone_leave_the_models_as_they_were() -> None:
    before = Desired(fleet="f", device="d", generation=3, models={"door": Wanted(name="a", version="1")})
    wish = wishes.following([before], Change(overrides={"x": 1}), fleet="f", device="d", floor=0, issued=7)
    assert (wish.models, wish.overrides, wish.generation) == (before.models, {"x": 1}, 4)


def test_what_is_kept_is_read_back_and_what_is_damaged_is_told(tmp_path: Path) -> None:
    (tmp_path / "devices").mkdir()
    assert sent.sent(tmp_path, "f", "d") is None
    wish = Desired(fleet="f", device="d", generation=3, models={})
    payload = sent.keep(tmp_path, wish, Signer.from_pem(generate()[0]))
    assert sent.path_of(tmp_path, "d").read_bytes() == payload
    assert sent.sent(tmp_path, "f", "d") == wish
    for fleet, content in (("other", payload), ("f", b"junk"), ("f", desired.encode(wish)[:-9])):
        sent.path_of(tmp_path, "d").write_bytes(content)
        with pytest.raises(MessageInvalid, match=r"d\.desired\.json: .*Delete it if it is not the last word"):
            sent.sent(tmp_path, fleet, "d")
