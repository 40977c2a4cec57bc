"""What goes wrong in each state of a new model's life, and what must come of it."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

from agent.supervision.control import ask
from tests.simulators.mishaps import FAULTS, LONG, ONE, REBOOT, STRIKES, TWO, UPDATER, WORKER, Misfortune
from tests.simulators.operator import QUICK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.documents.reported import Standing
    from tests.simulators.mishaps import Mishap

    Tell = Callable[[Path, int], list[tuple[Mishap, float]]]


def downloading(one: Misfortune) -> None:
    """The updater: the next one goes on."""
    worker, last = one.serving(ONE), 0
    one.hold.touch()
    one.deploy()
    for fault in (*FAULTS, REBOOT):
        last = one.child(UPDATER, last)
        assert one.told()["state"] == "downloading"
        at = time.monotonic()
        if fault == "crash":
            os.kill(last, signal.SIGKILL)
        elif fault == "exception":
            one.order(last, fault)
        elif fault == "hang":
            os.kill(last, signal.SIGSTOP)
        elif fault == REBOOT:
            one.reboot()
        why = {"crash": "SIGKILL", "exception": "exit code 1", "hang": "SIGTERM", REBOOT: ""}[fault]
        pid = one.note("downloading", fault, ONE, at, partial(_fetching_says, one, why))
        assert fault == REBOOT or pid == worker
    one.hold.unlink()
    _ends_active(one)


def verified(one: Misfortune) -> None:
    """The worker: it serves the old model again, and the new one is none the worse for it."""
    one.deploy()
    worker = one.serving(ONE)
    one.order(one.child(WORKER, worker), "crash")
    one.operator.until(lambda standing: standing.strikes == 1)
    for fault in FAULTS:
        at = time.monotonic()
        one.stop_or(worker, fault)
        worker = one.serving(ONE, worker)
        one.note("verified", fault, ONE, at, lambda standing: standing.strikes == 1)
        assert one.told()["state"] == "verified"
    at = time.monotonic()
    one.reboot()
    one.note("verified", REBOOT, ONE, at, lambda standing: standing.strikes == 1)
    _ends_active(one)


def proving(one: Misfortune) -> None:
    """The proof: each one that it takes is a strike, and the worker goes on."""
    worker = one.serving(ONE)
    proof = 0

    def spoil(fault: str) -> None:
        nonlocal proof
        proof = one.child(WORKER, worker, proof)
        _until(lambda: one.told()["state"] == "proving")
        one.order(proof, fault)

    _three_strikes(one, "proving", spoil)
    assert one.device.pipeline()["restarts"] == 0
    one.deploy()
    one.child(WORKER, worker, proof)
    _reboot(one, "proving", ONE)
    _ends_active(one)


def swap(one: Misfortune) -> None:
    """The worker that loads the new model, beside the old one or in its place: a strike."""

    def spoil(fault: str) -> None:
        one.order(one.loading(), fault, "load")

    _three_strikes(one, "swap", spoil)
    one.deploy()
    one.loading()
    _reboot(one, "swap", ONE)
    _ends_active(one)


def probation(one: Misfortune) -> None:
    """The worker, while the new model is on trial: a strike, and the old one serves."""

    def spoil(fault: str) -> None:
        one.order(one.serving(TWO), fault)

    _three_strikes(one, "probation", spoil)
    one.deploy(LONG)
    one.serving(TWO)
    _reboot(one, "probation", ONE)
    one.deploy(QUICK)
    _ends_active(one)


def active(one: Misfortune) -> None:
    """The worker, once the new model is the active one: it is the one that comes back."""
    one.deploy()
    one.operator.until_state("active")
    _unshaken(one, "active", TWO)


def previous(one: Misfortune) -> None:
    """The worker, after a rollback by hand: the model from before comes back."""
    one.deploy()
    one.operator.until_state("active")
    one.serving(TWO)
    ask(one.device.control, {"op": "model.rollback", "pipeline": "door"})
    one.serving(ONE)
    _unshaken(one, "rolled_back", ONE)


STORIES: dict[str, Callable[[Misfortune], None]] = {
    story.__name__: story for story in (downloading, verified, proving, swap, probation, active, previous)
}
_BEHAVIOUR = {"proving": {"proof_s": 0.02}, "swap": {"live_load_s": 0.7}}


def tell(state: str, folder: Path, port: int, how: str = "resident") -> list[tuple[Mishap, float]]:
    """Have everything go wrong in one state; give what happened, and the longest gap after each, seconds."""
    retry_s = 60.0 if state == "verified" else 0.3
    with Misfortune(folder, port, swap=how, retry_s=retry_s, **_BEHAVIOUR.get(state, {})) as one:
        STORIES[state](one)
        one.device.until_inferred()
        for report in one.operator.reports:
            for standing in report.pipelines.values():
                assert standing.serving is None or standing.serving.name in {"one", "two"}
                assert standing.reason or not standing.strikes
        assert one.device.end() == 0
        return list(zip(one.mishaps, one.gaps(), strict=True))


def tellings() -> Iterator[tuple[str, str, Tell]]:
    """Give each state, how the device changes models there, and what tells that story."""
    for state in STORIES:
        yield state, "resident", partial(tell, state)
    for state in ("swap", "probation"):
        yield state, "restart", partial(tell, state, how="restart")


def _three_strikes(one: Misfortune, state: str, spoil: Callable[[str], None]) -> None:
    """Each fault is a strike, the old model serves after each, and the third one rejects."""
    one.deploy(LONG)
    for count, fault in enumerate(FAULTS, 1):
        spoil(fault)
        at = time.monotonic()
        if count < STRIKES:
            one.note(state, fault, ONE, at, partial(_struck, count))
        else:
            one.note(state, fault, ONE, at, lambda standing: standing.state == "rejected")
        why = {"crash": "SIGSEGV", "exception": "a bug of the backend", "hang": "it hung"}[fault]
        assert why in one.mishaps[-1].said, one.mishaps[-1]


def _struck(count: int, standing: Standing) -> bool:
    return standing.strikes == count


def _fetching_says(one: Misfortune, why: str, _: Standing) -> bool:
    return one.says(why)


def _reboot(one: Misfortune, state: str, model: str) -> None:
    at = time.monotonic()
    one.reboot()
    one.note(state, REBOOT, model, at, lambda standing: standing.strikes == 1)


def _unshaken(one: Misfortune, state: str, model: str) -> None:
    """Whatever happens, the model is the same, and so is where the new one stands."""
    worker = one.serving(model)
    for fault in FAULTS:
        at = time.monotonic()
        one.stop_or(worker, fault)
        worker = one.serving(model, worker)
        one.note(state, fault, model, at, lambda standing: standing.state == state)
    at = time.monotonic()
    one.reboot()
    one.note(state, REBOOT, model, at, lambda standing: standing.state == state)


def _ends_active(one: Misfortune) -> None:
    one.operator.until_state("active")
    one.serving(TWO)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
