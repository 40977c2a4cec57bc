"""Which of the tuner's choices count for a model."""

from __future__ import annotations

from dataclasses import replace

from agent.boards.machine import cores, machine, processor
from agent.picks import picked, picks_of
from tests.simulators.keeping import TUNED


def test_only_what_was_chosen_on_this_board_and_machine_counts() -> None:
    rows = [TUNED, replace(TUNED, board="other"), replace(TUNED, machine="other", threads=4)]
    picks = picks_of(rows, TUNED.board, TUNED.machine)
    assert [(one.sha256, one.threads, one.xnnpack) for one in picks] == [(TUNED.sha256, 2, False)]


def test_a_row_that_another_program_has_sealed_is_not_acted_on() -> None:
    assert TUNED.sound
    assert not any(replace(TUNED, threads=threads).sound for threads in (-1, 0, 17))
    assert not replace(TUNED, wall_ns=-1).sound


def test_a_choice_is_one_models_on_one_runtime() -> None:
    other = replace(TUNED, runtime="tflite-runtime 2.14.0", threads=1)
    picks = picks_of([TUNED, other], TUNED.board, TUNED.machine)
    assert picked(picks, TUNED.sha256, TUNED.runtime) == picks[0]
    assert picked(picks, TUNED.sha256, other.runtime) == picks[1]
    assert picked(picks, TUNED.sha256, "ai-edge-litert 2.4.0") is None
    assert picked(picks, "e" * 64, TUNED.runtime) is None


def test_a_machine_is_its_processor_and_the_cores_that_we_may_use() -> None:
    assert cores() >= 1
    assert machine().startswith(f"{processor()}, {cores()} cores, ")
