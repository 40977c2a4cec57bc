"""A worker as a process: what it is given, what it is not given, and how it ends."""

from __future__ import annotations

import os
import resource
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.errors import EXIT_CONFIG
from agent.processes.child import ending
from agent.workers import messages
from agent.workers.process import WorkerProcess
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CAMERA = {"width": 64, "height": 64, "fps": 100}


def spec(**changes: object) -> bytes:
    plain = LaneSpec(pipeline="door", model="glyphs", source="synthetic", source_options=CAMERA)
    return plain.model_copy(update=changes).model_dump_json().encode()


@contextmanager
def started(spec_json: bytes) -> Iterator[WorkerProcess]:
    worker = WorkerProcess(spec_json)
    try:
        yield worker
    finally:
        if worker.exit_code() is None:
            worker.signal(signal.SIGKILL)
        end(worker)
        worker.close()


def end(worker: WorkerProcess) -> int:
    until(lambda: worker.exit_code() is not None)
    code = worker.exit_code()
    assert code is not None
    return code


def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def packets(worker: WorkerProcess) -> Iterator[object]:
    """Give what it says, to its end."""
    while (packet := worker.channel.receive()) != b"":
        if packet is None:
            time.sleep(0.005)
        else:
            yield messages.parse(packet)


def test_a_worker_says_ready_opened_and_results_and_ends_when_it_is_asked_to() -> None:
    said: list[object] = []
    asked = False
    with started(spec()) as worker:
        for message in packets(worker):
            said.append(message)
            if isinstance(message, messages.Results) and message.records and not asked:
                worker.channel.send(b'{"type":"stop"}')
                asked = True
        assert end(worker) == 0
    assert isinstance(said[0], messages.Ready)
    assert isinstance(said[1], messages.Opened)
    assert said[1].live
    assert isinstance(said[-1], messages.Ended)
    ledger = said[-1].ledger.ledger()
    assert ledger.balanced
    assert (ledger.in_flight, ledger.captured) == (0, worker_count(said))


def worker_count(said: list[object]) -> int:
    """Frames in the last packet's ledger; those before are never more."""
    counts = [m.ledger.captured for m in said if isinstance(m, messages.Results | messages.Ended)]
    assert counts == sorted(counts)
    return counts[-1]


def test_a_worker_that_is_told_nonsense_refuses_and_says_why() -> None:
    with started(spec(source_options={"fps": -1})) as worker:
        [fault] = packets(worker)
        assert end(worker) == EXIT_CONFIG
    assert isinstance(fault, messages.Fault)
    assert (fault.error, fault.loc) == ("ConfigInvalid", ["source", "fps"])


def test_a_worker_ends_when_nobody_listens_any_more() -> None:
    with started(spec()) as worker:
        next(packets(worker))
        worker.channel.close()
        assert end(worker) == 1


def test_a_worker_is_given_its_descriptors_and_neither_others_nor_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_AGENT__MQTT__PASSWORD", "hush")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/secret")
    with (tmp_path / "key.pem").open("wb") as inherited:
        os.set_inheritable(inherited.fileno(), True)
        with started(spec(confine=False)) as worker:  # one that is confined shows these to root alone
            next(packets(worker))
            process = Path(f"/proc/{worker.pid}")
            environment = (process / "environ").read_bytes()
            targets = [str(entry.readlink()) for entry in (process / "fd").iterdir()]
    assert b"hush" not in environment
    assert b"/secret" not in environment
    assert not any("key.pem" in target for target in targets)
    assert sum("socket:" in target for target in targets) == 1
    assert any("memfd:edge-agent-heartbeat" in target for target in targets)
    assert not any("memfd:edge-agent-lane" in target for target in targets)  # read, and closed


def test_a_worker_is_out_of_reach_of_the_terminals_interrupt() -> None:
    with started(spec()) as worker:
        assert os.getsid(worker.pid) == worker.pid
        next(packets(worker))
        worker.signal(signal.SIGINT)
        for message in packets(worker):
            if isinstance(message, messages.Results):
                break
        assert worker.exit_code() is None


def descriptors() -> list[int]:
    return sorted(int(entry.name) for entry in Path("/proc/self/fd").iterdir())


@contextmanager
def only_so_many_descriptors(more: int) -> Iterator[None]:
    """Let this process open ``more`` descriptors, and no further one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(descriptors())
    fillers = [os.dup(0)]
    while fillers[-1] <= highest:
        fillers.append(os.dup(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (fillers[-1] + 1 + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for filler in fillers:
            os.close(filler)


def begins(more: int) -> bool:
    """Whether a worker can be started with so many descriptors left."""
    with only_so_many_descriptors(more):
        try:
            worker = WorkerProcess(spec())
        except OSError:
            return False
        worker.signal(signal.SIGKILL)
        end(worker)
        worker.close()
    return True


def test_a_machine_without_descriptors_starts_nothing_and_keeps_nothing() -> None:
    before = descriptors()
    outcomes = []
    for more in range(16):
        outcomes.append(begins(more))
        assert descriptors() == before
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


@pytest.mark.parametrize(
    ("code", "said"),
    [(0, "exit code 0"), (-9, "ended by SIGKILL"), (-40, "ended by signal 40"), (78, "exit code 78")],
)
def test_an_exit_code_is_put_in_words(code: int, said: str) -> None:
    assert ending(code) == said
