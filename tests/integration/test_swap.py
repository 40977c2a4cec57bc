"""A real worker's model is swapped: nothing is lost, and whatever the new one does, one of the two serves."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from agent.processes.message import error_of
from agent.workers import messages
from agent.workers.policy import State
from agent.workers.spec import LaneSpec
from tests.simulators import moody_backend
from tests.simulators.live_lane import LiveLane
from tests.simulators.moody_bundles import bundle

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = "old@1", "new@1"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that is hidden from workers, but for its bundles."""
    monkeypatch.setattr(sys, "executable", moody_backend.installed(tmp_path / "plugins"))
    (tmp_path / "data" / "models" / "bundles").mkdir(parents=True)
    (tmp_path / "data" / "state.db").write_text("secret")
    return tmp_path / "data"


def lane(data: Path, old: tuple[str, str], **deadlines: float) -> LiveLane:
    spec = LaneSpec(
        pipeline="door",
        model=old[0],
        digest=old[1],
        backend="moody",
        source="synthetic",
        source_options={"width": 64, "height": 64, "fps": 100},
        hidden=(str(data),),
        bundles=str(data / "models" / "bundles"),
    )
    return LiveLane(spec, **deadlines)


def bundles(data: Path, **new: Any) -> tuple[tuple[str, str], tuple[str, str]]:
    folder = data / "models" / "bundles"
    return bundle(folder, "old", value=1), bundle(folder, "new", None, **{"value": 2, "side": 12, **new})


def test_a_swap_and_a_swap_back_lose_nothing_and_name_each_record_by_its_model(data: Path) -> None:
    old, new = bundles(data)
    with lane(data, old) as live:
        live.frames()
        assert live.lane.run is not None
        pid = live.lane.run.process.pid
        for token, model in enumerate((new, old, new, new), 1):
            assert live.lane.swap(*model, token)
            live.until(lambda token=token: len(live.replies) == token)  # type: ignore[misc]
            live.frames()
        assert live.lane.run.process.pid == pid
        assert live.lane.ready is not None
        assert (live.lane.ready.bundle, live.lane.ready.confined.seccomp) == (new[1], True)
    assert [(reply.type, reply.token) for reply in live.replies] == [("swapped", n) for n in range(1, 5)]
    assert set(live.values) == {(OLD, 1), (NEW, 2)}
    models = [model for model, _ in live.values]
    assert [m for n, m in enumerate(models) if n == 0 or models[n - 1] != m] == [OLD, NEW, OLD, NEW]
    ledger = live.lane.ledger
    assert (ledger.captured, ledger.failed, ledger.lost) == (ledger.settled, {}, 0)
    numbers = [record.frame for _, record in live.kept]
    assert numbers == sorted(set(numbers))
    assert len(numbers) + ledger.dropped.get("overwritten", 0) == ledger.captured


@pytest.mark.parametrize("damage", ["digest", "load", "bug", "missing"])
def test_a_model_that_cannot_be_loaded_changes_nothing_and_says_why(data: Path, damage: str) -> None:
    old, new = bundles(data, load={"load": "fail", "bug": "bug"}.get(damage, ""))
    path, wanted = new
    with lane(data, old) as live:
        live.frames()
        assert live.lane.swap(
            path + ("x" if damage == "missing" else ""), "0" * 64 if damage == "digest" else wanted, 1
        )
        live.until(lambda: bool(live.replies))
        live.frames()
    [reply] = live.replies
    assert isinstance(reply, messages.Unswapped)
    kind, words = {
        "digest": ("ManifestInvalid", "was vouched for"),
        "load": ("BackendFault", "in a mood"),
        "bug": ("AgentError", "a bug of the backend"),
        "missing": ("ModelInvalid", "there is no such"),
    }[damage]
    assert reply.error == kind
    assert words in str(error_of(reply))
    assert set(live.values) == {(OLD, 1)}
    assert live.lane.restarts == 0


@pytest.mark.parametrize(
    ("when", "how"), [("load", "crash"), ("load", "hang"), ("run", "crash"), ("run", "hang"), ("run", "fail")]
)
def test_a_new_model_that_ends_its_worker_leaves_the_one_that_serves(data: Path, when: str, how: str) -> None:
    old, new = bundles(data, **{when: how})
    with lane(data, old, load_s=0.5, invoke_s=0.5) as live:
        live.frames()
        assert live.lane.swap(*new, 1)
        live.until(lambda: live.lane.restarts == 1)
        live.runs()
        live.frames()
        assert live.lane.ready is not None
        assert live.lane.ready.model == OLD
    assert set(live.values) == {(OLD, 1)}
    assert [reply.type for reply in live.replies] == ([] if when == "load" else ["swapped"])
    assert live.lane.ledger.balanced


def test_a_restart_serves_the_other_model_and_loses_no_frame_of_a_recording(data: Path) -> None:
    _, new = bundles(data)
    # So slow that it is not through with all of it before the restart.
    old = bundle(data / "models" / "bundles", "old", value=1, seconds=0.01)
    live = lane(data, old)
    live.lane._spec = live.lane._spec.model_copy(
        update={"source_options": {"width": 64, "height": 64, "fps": 0, "frames": 400}}
    )
    with live:
        live.frames(20)
        live.lane.serve(*new)
        live.lane.restart(0.0)
        live.until(lambda: live.lane.state is State.ENDED)
    assert [record.frame for _, record in live.kept] == list(range(400))
    values = [value for _, value in live.values]
    assert values == sorted(values)
    assert set(live.values) == {(OLD, 1), (NEW, 2)}
    assert (live.lane.restarts, live.lane.ledger.lost) == (0, 0)


def test_the_other_model_stays_resident_until_it_is_let_go_of(data: Path) -> None:
    old, new = bundles(data)
    with lane(data, old) as live:
        live.frames()
        assert live.lane.swap(*new, 1)
        live.until(lambda: len(live.replies) == 1)
        os.rename(old[0], old[0] + ".away")  # noqa: PTH104
        assert live.lane.swap(*old, 2)  # from memory
        live.until(lambda: len(live.replies) == 2)
        assert live.lane.swap(*new, 3)
        live.until(lambda: len(live.replies) == 3)
        live.lane.settle()
        assert live.lane.swap(*old, 4)
        live.until(lambda: len(live.replies) == 4)
    assert [reply.type for reply in live.replies] == ["swapped", "swapped", "swapped", "unswapped"]


@pytest.mark.landlock
def test_bundles_can_be_read_in_a_hidden_folder_and_nothing_beside_them(data: Path) -> None:
    old, new = bundles(data)
    outside = bundle(data / "elsewhere", "outside", value=3)
    link = data / "models" / "bundles" / "link"
    link.symlink_to(outside[0])
    with lane(data, old) as live:
        live.frames()
        for token, path in enumerate((outside[0], str(link), new[0]), 1):
            assert live.lane.swap(path, "", token)
            live.until(lambda token=token: len(live.replies) == token)  # type: ignore[misc]
        live.frames()
    assert [reply.type for reply in live.replies] == ["unswapped", "unswapped", "swapped"]
    assert set(live.values) == {(OLD, 1), (NEW, 2)}
