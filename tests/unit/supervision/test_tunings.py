"""What the tuner has chosen: how a running agent and its folder keep it."""

from __future__ import annotations

import threading
from argparse import Namespace
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from agent.boards.machine import machine
from agent.cli.benching.keeping import look_after
from agent.cli.device.settings import Loaded
from agent.clock import SystemClock
from agent.errors import FolderHeld, MessageInvalid
from agent.slots import Change, Tuning
from agent.store.custody import MOST_TUNED
from agent.store.folder import DataFolder
from agent.store.kept import read_kept
from agent.store.outbox import Outbox
from agent.store.reports import Changed
from agent.store.thread import Store
from agent.supervision.tunings import Keep, Tunings, forget, keep, kept, with_tunings
from tests.simulators.keeping import TUNED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.plan import Plan

PIPELINES = """
[[pipelines]]
name = "open"
model = "glyphs"
source = { kind = "synthetic" }
[[pipelines]]
name = "threads"
model = "glyphs"
source = { kind = "synthetic" }
backend = { kind = "tflite", threads = 1 }
[[pipelines]]
name = "kernels"
model = "glyphs"
source = { kind = "synthetic" }
backend = { kind = "tflite", xnnpack = true }
[[pipelines]]
name = "plain"
model = "glyphs"
source = { kind = "synthetic" }
backend = { kind = "tflite", delegate = "cpu" }
"""


def asked(number: int = 0, **more: Any) -> dict[str, Any]:
    """A request to keep a choice for one of many models."""
    fields = {
        "sha256": f"{number:064x}",
        "runtime": "ai-edge-litert 2.3.0",
        "board": "generic-arm64",
        "machine": "a board, 4 cores",
        "model": "digits@1",
        "threads": 2,
        "xnnpack": False,
        "figures": "{}",
    }
    return {"op": "tuned.keep", **fields, **more}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    path = tmp_path / "agent.toml"
    (tmp_path / "data").mkdir()
    path.write_text(f'[store]\npath = "data"\n[control]\npath = "socket"\n{PIPELINES}')
    return Loaded(path).plan()


@pytest.fixture
def running(plan: Plan) -> Iterator[tuple[Tunings, Callable[[int], None]]]:
    """The tunings of an agent that runs, and what waits until so many changes are durable."""
    durable = threading.Semaphore(0)

    def post(report: object) -> None:
        if isinstance(report, Changed):
            durable.release()

    def until(count: int) -> None:
        for _ in range(count):
            assert durable.acquire(timeout=10)

    store = Store(plan.data, post, clock=SystemClock())
    store.start()
    try:
        yield Tunings(plan, store), until
    finally:
        store.close(5.0)


def test_a_choice_goes_to_pipelines_that_leave_it_open_and_on_this_machine_only(plan: Plan) -> None:
    here = replace(TUNED, board=plan.profile.name, machine=machine())
    told = {spec.pipeline: spec for spec in with_tunings(plan, (TUNED, here)).lanes}
    assert {name: len(spec.tuned) for name, spec in told.items()} == {
        "open": 1,
        "threads": 0,
        "kernels": 0,
        "plain": 0,
    }
    [pick] = told["open"].tuned
    assert (pick.sha256, pick.threads, pick.xnnpack) == (TUNED.sha256, 2, False)


def test_what_a_running_agent_keeps_is_durable_and_the_newest_count(
    plan: Plan, running: tuple[Tunings, Callable[[int], None]]
) -> None:
    tunings, until = running
    for number in (*range(MOST_TUNED + 3), 5):
        told = tunings.answer(asked(number))["tuned"]
    until(MOST_TUNED + 4)
    rows = read_kept(plan.data).tuned
    assert [Tuning(**one) for one in told] == list(rows)
    assert len(rows) == MOST_TUNED
    assert rows[-1].sha256 == f"{5:064x}"
    assert f"{0:064x}" not in {one.sha256 for one in rows}
    tunings.answer({"op": "tuned.forget", "sha256": [f"{number:064x}" for number in range(4, 20)]})
    until(1)
    assert [Tuning(**one) for one in tunings.answer({"op": "tuned"})["tuned"]] == list(
        read_kept(plan.data).tuned
    )
    assert len(read_kept(plan.data).tuned) == MOST_TUNED - 16


def test_a_row_that_another_program_has_sealed_keeps_no_agent_from_starting(plan: Plan) -> None:
    odd = replace(TUNED, board=plan.profile.name, machine=machine(), threads=99)
    with closing(Outbox(plan.data, clock=SystemClock())) as outbox:
        outbox.change(Change(tuned=(odd, replace(TUNED, figures="{"))), 1, synced=True)
    rows = read_kept(plan.data).tuned
    assert [one.figures for one in rows] == ["{"]
    assert all(spec.tuned == () for spec in with_tunings(plan, rows).lanes)
    assert look_after(plan, Namespace(forget=False, models=[], json=True)) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"op": "tuned.keep"},
        asked(sha256="x"),
        asked(threads=17),
        asked(figures="x"),
        asked(figures="[]"),
        asked(figures=f'{{"x": "{"x" * 1500}"}}'),
        asked(more=1),
        {"op": "tuned.forget", "sha256": ["0" * 63]},
        {"op": "tuned.forget", "sha256": ["0" * 64] * 33},
        {"op": "tuned", "more": 1},
    ],
)
def test_a_request_that_is_wrong_changes_nothing(
    running: tuple[Tunings, Callable[[int], None]], wrong: dict[str, Any]
) -> None:
    with pytest.raises(MessageInvalid):
        running[0].answer(wrong)
    assert running[0].answer({"op": "tuned"}) == {"tuned": []}


def test_without_an_agent_the_folder_is_written_unless_another_holds_it(plan: Plan) -> None:
    numbers = range(40)
    for number in numbers[:2]:
        keep(plan, Keep(**asked(number)))
    assert [one.sha256 for one in kept(plan)] == [f"{number:064x}" for number in numbers[:2]]
    forget(plan, [replace(TUNED, sha256=f"{number:064x}") for number in numbers[1:]])
    assert [one.sha256 for one in kept(plan)] == [f"{0:064x}"]
    with DataFolder(plan.data, plan.device), pytest.raises(FolderHeld):
        keep(plan, Keep(**asked(7)))
    assert read_kept(plan.data).audit[0] == 3
